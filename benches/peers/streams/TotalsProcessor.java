// Adds an event to its totals, in a task of Kafka Streams with a store of its own. Promise: a get
// and a put for each of at most four scopes, no other work. When all tasks together have folded
// all, each asks for a commit instead of waiting for the interval, so that a run ends as soon as it
// can.
package tollgate.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import org.apache.avro.util.Utf8;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

final class TotalsProcessor implements Processor<byte[], byte[], Void, Void> {
    private static final Duration END_LOOK = Duration.ofMillis(50);

    private final BilledEvent.Reader reader = new BilledEvent.Reader();
    private final Windows windows = new Windows();
    private final Progress progress;
    private KeyValueStore<byte[], byte[]> totals;

    TotalsProcessor(Progress progress) {
        this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        totals = context.getStateStore(StreamsPeer.STORE);
        context.schedule(END_LOOK, PunctuationType.WALL_CLOCK_TIME, now -> {
            if (progress.hasAll()) {
                context.commit();
            }
        });
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        BilledEvent event;
        try {
            event = reader.read(record.value());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        windows.moveTo(event.occurredAtMs);
        add(event, Scope.ACCOUNT, null);
        add(event, Scope.FEATURE, event.feature);
        if (event.profile != null) {
            add(event, Scope.PROFILE, event.profile);
        }
        if (event.country != null) {
            add(event, Scope.COUNTRY, event.country);
        }
        progress.folded();
    }

    private void add(BilledEvent event, byte kind, Utf8 id) {
        byte[] key = Row.key(event.account, kind, windows.month, id);
        byte[] row = totals.get(key);
        totals.put(key, Row.plus(row, windows.dayOfMonth, event.costMicros, event.requests));
    }
}
