// Reads a record of the topic in Flink's source. Promise: one event object a source, which the next
// record overwrites: the network has its bytes by then, since an exchange follows the source.
package tollgate.peers;

import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

final class EventSchema implements KafkaRecordDeserializationSchema<BilledEvent> {
    private transient BilledEvent.Reader reader;

    @Override
    public void open(InitializationContext context) {
        reader = new BilledEvent.Reader();
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<BilledEvent> out)
            throws IOException {
        out.collect(reader.read(record.value()));
    }

    @Override
    public TypeInformation<BilledEvent> getProducedType() {
        return new OwnType<>(BilledEvent.class, EventSerializer.INSTANCE);
    }
}
