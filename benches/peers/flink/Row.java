// The totals of a scope in a month, as they lie on the heap: the month's and one for each of its
// days that has events. Day and month together halve the look-ups of two rows; a row has at most 32
// totals. Promise: an event is added in place; only a new day allocates.
package tollgate.peers;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

final class Row {
    private static final int TOTAL_NUMBERS = 2;
    private static final int DAY_NUMBERS = 3;

    /** Cost and requests of the month; then day, cost and requests of each day. */
    private long[] numbers;

    private Row(long[] numbers) {
        this.numbers = numbers;
    }

    Row() {
        this(new long[TOTAL_NUMBERS]);
    }

    void add(int day, long costMicros, long requests) {
        int at = dayAt(day);
        numbers[0] += costMicros;
        numbers[1] += requests;
        numbers[at + 1] += costMicros;
        numbers[at + 2] += requests;
    }

    /** Where the day is. The latest day is the last, as a rule. */
    private int dayAt(int day) {
        int length = numbers.length;
        for (int at = length - DAY_NUMBERS; at >= TOTAL_NUMBERS; at -= DAY_NUMBERS) {
            if (numbers[at] == day) {
                return at;
            }
        }
        numbers = Arrays.copyOf(numbers, length + DAY_NUMBERS);
        numbers[length] = day;
        return length;
    }

    void addTo(Sums sums, byte kind) {
        sums.addMonth(kind, numbers[0], numbers[1]);
        for (int at = TOTAL_NUMBERS; at < numbers.length; at += DAY_NUMBERS) {
            sums.addDay(kind, numbers[at + 1], numbers[at + 2]);
        }
    }

    static final class Serializer extends OwnSerializer<Row> {
        static final Serializer INSTANCE = new Serializer();

        @Override
        public Row createInstance() {
            return new Row();
        }

        @Override
        public Row copy(Row from) {
            return new Row(from.numbers.clone());
        }

        @Override
        public void serialize(Row row, DataOutputView out) throws IOException {
            out.writeByte(row.numbers.length);
            for (long number : row.numbers) {
                out.writeLong(number);
            }
        }

        @Override
        public Row deserialize(DataInputView in) throws IOException {
            long[] numbers = new long[in.readByte()];
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = in.readLong();
            }
            return new Row(numbers);
        }

        @Override
        public TypeSerializerSnapshot<Row> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Row> {
        public Snapshot() {
            super(() -> Serializer.INSTANCE);
        }
    }
}
