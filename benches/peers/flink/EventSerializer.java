// An event on its way from a source to the task of its account. Promise: a length and the bytes of
// each text and three numbers, nothing else. Every event read is an object of its own, so that
// state may keep its texts.
package tollgate.peers;

import java.io.IOException;
import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

final class EventSerializer extends OwnSerializer<BilledEvent> {
    static final EventSerializer INSTANCE = new EventSerializer();

    @Override
    public BilledEvent createInstance() {
        return new BilledEvent();
    }

    @Override
    public BilledEvent copy(BilledEvent from) {
        BilledEvent to = new BilledEvent();
        to.account = copy(from.account);
        to.feature = copy(from.feature);
        to.profile = copy(from.profile);
        to.country = copy(from.country);
        to.costMicros = from.costMicros;
        to.requests = from.requests;
        to.occurredAtMs = from.occurredAtMs;
        return to;
    }

    @Override
    public void serialize(BilledEvent event, DataOutputView out) throws IOException {
        TextSerializer.write(event.account, out);
        TextSerializer.write(event.feature, out);
        TextSerializer.write(event.profile, out);
        TextSerializer.write(event.country, out);
        out.writeLong(event.costMicros);
        out.writeLong(event.requests);
        out.writeLong(event.occurredAtMs);
    }

    @Override
    public BilledEvent deserialize(DataInputView in) throws IOException {
        BilledEvent event = new BilledEvent();
        event.account = TextSerializer.read(in);
        event.feature = TextSerializer.read(in);
        event.profile = TextSerializer.read(in);
        event.country = TextSerializer.read(in);
        event.costMicros = in.readLong();
        event.requests = in.readLong();
        event.occurredAtMs = in.readLong();
        return event;
    }

    private static Utf8 copy(Utf8 text) {
        return text == null ? null : new Utf8(text);
    }

    @Override
    public TypeSerializerSnapshot<BilledEvent> snapshotConfiguration() {
        return new Snapshot();
    }

    public static final class Snapshot extends SimpleTypeSerializerSnapshot<BilledEvent> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
