// Counts what all threads of a peer have folded and keeps the times of the first event, the last
// one and the commit that covers it. Promise: a peer that neither folds nor commits for
// STALL_SECONDS ends with words instead of hanging. It leaves out rates: seconds and events are
// told, not divided.
package tollgate.peers;

import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

final class Progress {
    private static final int STALL_SECONDS = 300;

    private final long events;
    private final AtomicLong folded = new AtomicLong();
    private final CountDownLatch all = new CountDownLatch(1);
    private volatile long firstNanos;
    private volatile long lastNanos;
    private volatile long committedNanos;

    Progress(long events) {
        this.events = events;
        Thread watch = new Thread(this::watch, "stall-watch");
        watch.setDaemon(true);
        watch.start();
    }

    /** After every event. */
    void folded() {
        long count = folded.incrementAndGet();
        if (count == 1) {
            firstNanos = System.nanoTime();
        }
        if (count == events) {
            lastNanos = System.nanoTime();
            all.countDown();
        }
    }

    boolean hasAll() {
        return all.getCount() == 0;
    }

    void awaitAll() throws InterruptedException {
        all.await();
    }

    /** When a commit or checkpoint covers all; of several calls the last one counts. */
    void committed() {
        committedNanos = System.nanoTime();
    }

    /** The one line that a peer prints. */
    String report(String peer, String version, Sums sums) {
        if (folded.get() != events) {
            throw new IllegalStateException(
                    String.format("%d events were folded, %d asked for", folded.get(), events));
        }
        return String.format(Locale.ROOT,
                "{\"peer\":\"%s\",\"version\":\"%s\",\"events\":%d,\"seconds\":%.3f,"
                        + "\"with_commit_seconds\":%.3f,%s}",
                peer, version, events,
                (lastNanos - firstNanos) / 1e9, (committedNanos - firstNanos) / 1e9, sums.json());
    }

    private void watch() {
        long seen = 0;
        int still = 0;
        while (committedNanos == 0 && still < STALL_SECONDS) {
            try {
                TimeUnit.SECONDS.sleep(1);
            } catch (InterruptedException e) {
                return;
            }
            long now = folded.get();
            still = now == seen ? still + 1 : 0;
            seen = now;
        }
        if (committedNanos == 0) {
            Peer.fail(new IllegalStateException(String.format(
                    "nothing happened for %d s: %d of %d events folded, %s",
                    STALL_SECONDS, seen, events,
                    hasAll() ? "no commit covers them" : "no more came")));
        }
    }
}
