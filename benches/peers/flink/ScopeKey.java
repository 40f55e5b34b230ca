// Names a scope and a month inside an account. Promise: equal for the same three. One that is in
// the state is never changed; the one that looks things up is reused, and copied only for a new
// row.
package tollgate.peers;

import java.io.IOException;
import java.util.Objects;
import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

final class ScopeKey {
    byte kind;
    int month;
    /** Null for the account itself. */
    Utf8 id;

    ScopeKey set(byte kind, int month, Utf8 id) {
        this.kind = kind;
        this.month = month;
        this.id = id;
        return this;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ScopeKey key
                && kind == key.kind && month == key.month && Objects.equals(id, key.id);
    }

    @Override
    public int hashCode() {
        return (month * 31 + kind) * 31 + (id == null ? 0 : id.hashCode());
    }

    static final class Serializer extends OwnSerializer<ScopeKey> {
        static final Serializer INSTANCE = new Serializer();

        @Override
        public boolean isImmutableType() {
            return true;
        }

        @Override
        public ScopeKey createInstance() {
            return new ScopeKey();
        }

        @Override
        public ScopeKey copy(ScopeKey key) {
            return key;
        }

        @Override
        public void serialize(ScopeKey key, DataOutputView out) throws IOException {
            out.writeByte(key.kind);
            out.writeShort(key.month);
            TextSerializer.write(key.id, out);
        }

        @Override
        public ScopeKey deserialize(DataInputView in) throws IOException {
            return new ScopeKey().set(in.readByte(), in.readShort(), TextSerializer.read(in));
        }

        @Override
        public TypeSerializerSnapshot<ScopeKey> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ScopeKey> {
        public Snapshot() {
            super(() -> Serializer.INSTANCE);
        }
    }
}
