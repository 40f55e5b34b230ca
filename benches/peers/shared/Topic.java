// What the broker says about the topic before a run. Promise: the ends of all its partitions, and a
// refusal at once when it holds fewer records than are asked for. It leaves out reading them.
package tollgate.peers;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

final class Topic {
    private Topic() {}

    static Map<TopicPartition, Long> ends(Admin admin, Arguments arguments) throws Exception {
        String name = arguments.topic();
        List<TopicPartition> partitions =
                admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions()
                        .stream().map(one -> new TopicPartition(name, one.partition())).toList();
        Map<TopicPartition, Long> begins = offsets(admin, partitions, OffsetSpec.earliest());
        Map<TopicPartition, Long> ends = offsets(admin, partitions, OffsetSpec.latest());
        long records = partitions.stream().mapToLong(p -> ends.get(p) - begins.get(p)).sum();
        if (records < arguments.events()) {
            throw new IllegalStateException(String.format("topic %s holds %d records, %d asked for",
                    name, records, arguments.events()));
        }
        return ends;
    }

    private static Map<TopicPartition, Long> offsets(
            Admin admin, List<TopicPartition> partitions, OffsetSpec which) throws Exception {
        Map<TopicPartition, OffsetSpec> asked =
                partitions.stream().collect(Collectors.toMap(p -> p, p -> which));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        admin.listOffsets(asked).all().get().forEach((p, found) -> offsets.put(p, found.offset()));
        return offsets;
    }
}
