// How a peer is started and ends. Promise: on success exactly one line goes to standard output and
// the exit code is 0; on failure the reason goes to standard error and it is 1. It leaves out
// everything about folding.
package tollgate.peers;

import java.io.PrintStream;
import org.slf4j.LoggerFactory;

interface Peer {
    /** The line to print. */
    String run(Arguments arguments) throws Exception;

    static void main(String[] words, Peer peer) {
        PrintStream out = System.out;
        System.setOut(System.err); // for libraries that print
        try {
            out.println(peer.run(Arguments.of(words)));
            System.exit(0);
        } catch (Exception e) {
            fail(e);
        }
    }

    /** Says what led to what in a few lines; where in the code is in the log. */
    static void fail(Throwable fault) {
        LoggerFactory.getLogger(Peer.class).error("the run failed", fault);
        System.err.println("peers: the run failed");
        for (Throwable cause = fault; cause != null; cause = cause.getCause()) {
            System.err.println("  " + cause);
        }
        Runtime.getRuntime().halt(1);
    }
}
