// What totals are of: the account, or something inside it. Promise: a kind is one byte and stays
// the same in every key.
package tollgate.peers;

final class Scope {
    static final byte ACCOUNT = 0;
    static final byte FEATURE = 1;
    static final byte PROFILE = 2;
    static final byte COUNTRY = 3;

    private Scope() {}
}
