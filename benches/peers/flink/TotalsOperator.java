// Flink's operator around TotalsFunction, with an end: when a checkpoint taken after the last event
// is complete, it notes the time and adds up what its state then holds. Promise: until then it is
// Flink's own and does no more than that.
package tollgate.peers;

import java.util.Map;
import org.apache.avro.util.Utf8;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;

final class TotalsOperator extends KeyedProcessOperator<Utf8, BilledEvent, Void>
        implements BoundedOneInput {
    private static final long NONE = Long.MAX_VALUE;

    private transient boolean ended;
    private transient boolean covered;
    private transient long coveringCheckpoint;

    TotalsOperator() {
        super(new TotalsFunction());
    }

    @Override
    public void open() throws Exception {
        super.open();
        coveringCheckpoint = NONE;
    }

    @Override
    public void endInput() {
        ended = true;
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        if (ended && coveringCheckpoint == NONE) {
            coveringCheckpoint = context.getCheckpointId();
        }
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) throws Exception {
        super.notifyCheckpointComplete(checkpoint);
        if (!covered && checkpoint >= coveringCheckpoint) {
            covered = true;
            FlinkPeer.progress().committed();
            FlinkPeer.sums().add(readBack());
        }
    }

    private Sums readBack() throws Exception {
        Sums sums = new Sums();
        getKeyedStateBackend().applyToAllKeys(
                VoidNamespace.INSTANCE,
                VoidNamespaceSerializer.INSTANCE,
                TotalsFunction.state(),
                (account, totals) -> {
                    for (Map.Entry<ScopeKey, Row> row : totals.entries()) {
                        row.getValue().addTo(sums, row.getKey().kind);
                    }
                });
        return sums;
    }
}
