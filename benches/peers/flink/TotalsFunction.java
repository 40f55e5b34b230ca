// Adds an event to its totals in the map state of its account. Promise: a look-up for each of at
// most four scopes; only a new row or day allocates. Relies on the heap backend: what get() returns
// is the live object, and a snapshot that still needs the old one has been given a copy before.
package tollgate.peers;

import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

final class TotalsFunction extends KeyedProcessFunction<Utf8, BilledEvent, Void> {
    private transient MapState<ScopeKey, Row> totals;
    private transient ScopeKey sought;
    private transient Windows windows;
    private transient Progress progress;

    static MapStateDescriptor<ScopeKey, Row> state() {
        return new MapStateDescriptor<>(
                "totals", ScopeKey.Serializer.INSTANCE, Row.Serializer.INSTANCE);
    }

    @Override
    public void open(OpenContext context) {
        totals = getRuntimeContext().getMapState(state());
        sought = new ScopeKey();
        windows = new Windows();
        progress = FlinkPeer.progress();
    }

    @Override
    public void processElement(BilledEvent event, Context context, Collector<Void> out)
            throws Exception {
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

    private void add(BilledEvent event, byte kind, Utf8 id) throws Exception {
        Row row = totals.get(sought.set(kind, windows.month, id));
        if (row == null) {
            row = new Row();
            totals.put(new ScopeKey().set(kind, windows.month, id), row);
        }
        row.add(windows.dayOfMonth, event.costMicros, event.requests);
    }
}
