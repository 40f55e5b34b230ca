// What a peer is told on its command line. Promise: everything is there and of its kind, or the
// program ends with words. It leaves out defaults: the launcher `run` names every argument.
package tollgate.peers;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

record Arguments(String bootstrap, String topic, long events, int threads, Path dir) {

    static Arguments of(String[] words) {
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i + 1 < words.length; i += 2) {
            given.put(words[i], words[i + 1]);
        }
        return new Arguments(
                required(given, "--bootstrap"),
                required(given, "--topic"),
                Long.parseLong(required(given, "--events")),
                Integer.parseInt(required(given, "--threads")),
                Path.of(required(given, "--dir")).toAbsolutePath());
    }

    private static String required(Map<String, String> given, String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }
}
