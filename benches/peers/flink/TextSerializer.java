// A text as UTF-8, from the topic to the checkpoint without becoming a String: the key of the
// stream. Promise: two bytes of length, then the bytes. A text, once read, is never changed.
package tollgate.peers;

import java.io.IOException;
import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

final class TextSerializer extends OwnSerializer<Utf8> {
    static final TextSerializer INSTANCE = new TextSerializer();
    private static final int ABSENT = -1;

    static void write(Utf8 text, DataOutputView out) throws IOException {
        if (text == null) {
            out.writeShort(ABSENT);
            return;
        }
        out.writeShort(text.getByteLength());
        out.write(text.getBytes(), 0, text.getByteLength());
    }

    static Utf8 read(DataInputView in) throws IOException {
        int length = in.readShort();
        if (length == ABSENT) {
            return null;
        }
        byte[] bytes = new byte[length];
        in.readFully(bytes);
        return new Utf8(bytes);
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public Utf8 createInstance() {
        return new Utf8();
    }

    @Override
    public Utf8 copy(Utf8 text) {
        return text;
    }

    @Override
    public void serialize(Utf8 text, DataOutputView out) throws IOException {
        write(text, out);
    }

    @Override
    public Utf8 deserialize(DataInputView in) throws IOException {
        return read(in);
    }

    @Override
    public TypeSerializerSnapshot<Utf8> snapshotConfiguration() {
        return new Snapshot();
    }

    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Utf8> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
