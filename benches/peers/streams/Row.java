// How totals lie in the store: a row for a scope and a month, with the month's total and one for
// each of its days that has events. Day and month together halve the look-ups of two rows; a row
// has at most 32 totals. Promise: keys are compact, begin with the account so that its rows lie
// together, and no two scopes share one. It leaves out objects: the store takes bytes and gives
// bytes.
package tollgate.peers;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.avro.util.Utf8;

final class Row {
    /** Length of the account in two bytes, kind, month in two bytes. */
    private static final int KEY_OVERHEAD_BYTES = 5;
    /** Cost and requests. */
    private static final int TOTAL_BYTES = 16;
    /** The day in front of its total. */
    private static final int DAY_BYTES = 1 + TOTAL_BYTES;

    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private Row() {}

    static byte[] key(Utf8 account, byte kind, int month, Utf8 id) {
        int accountBytes = account.getByteLength();
        int idBytes = id == null ? 0 : id.getByteLength();
        byte[] key = new byte[KEY_OVERHEAD_BYTES + accountBytes + idBytes];
        key[0] = (byte) (accountBytes >> 8);
        key[1] = (byte) accountBytes;
        System.arraycopy(account.getBytes(), 0, key, 2, accountBytes);
        int at = 2 + accountBytes;
        key[at] = kind;
        key[at + 1] = (byte) (month >> 8);
        key[at + 2] = (byte) month;
        if (id != null) {
            System.arraycopy(id.getBytes(), 0, key, at + 3, idBytes);
        }
        return key;
    }

    /** A new value, since the store's cache keeps the one it was given; `before` may be null. */
    static byte[] plus(byte[] before, int day, long costMicros, long requests) {
        int length = before == null ? TOTAL_BYTES : before.length;
        int at = dayAt(before, day, length);
        byte[] after = new byte[Math.max(length, at + DAY_BYTES)];
        if (before != null) {
            System.arraycopy(before, 0, after, 0, length);
        }
        after[at] = (byte) day;
        add(after, 0, costMicros, requests);
        add(after, at + 1, costMicros, requests);
        return after;
    }

    /** Where the day is, or the end where it will be. The latest day is the last, as a rule. */
    private static int dayAt(byte[] value, int day, int length) {
        for (int at = length - DAY_BYTES; at >= TOTAL_BYTES; at -= DAY_BYTES) {
            if (value[at] == day) {
                return at;
            }
        }
        return length;
    }

    private static void add(byte[] value, int at, long costMicros, long requests) {
        LONG.set(value, at, (long) LONG.get(value, at) + costMicros);
        LONG.set(value, at + 8, (long) LONG.get(value, at + 8) + requests);
    }

    static void addTo(Sums sums, byte[] key, byte[] value) {
        byte kind = key[2 + ((key[0] & 0xFF) << 8 | key[1] & 0xFF)];
        sums.addMonth(kind, (long) LONG.get(value, 0), (long) LONG.get(value, 8));
        for (int at = TOTAL_BYTES; at < value.length; at += DAY_BYTES) {
            sums.addDay(kind, (long) LONG.get(value, at + 1), (long) LONG.get(value, at + 9));
        }
    }
}
