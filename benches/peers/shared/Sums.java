// Adds up the totals that a peer reads back from its store when all is folded: the proof that no
// event was lost. Promise: the sums over account-days come out only if those over account-months
// are the same. It leaves out who is right: the caller of the peer knows the sums.
package tollgate.peers;

final class Sums {
    private long rows;
    private long dayCost;
    private long dayRequests;
    private long monthCost;
    private long monthRequests;

    void addMonth(byte kind, long costMicros, long requests) {
        rows++;
        if (kind == Scope.ACCOUNT) {
            monthCost += costMicros;
            monthRequests += requests;
        }
    }

    void addDay(byte kind, long costMicros, long requests) {
        rows++;
        if (kind == Scope.ACCOUNT) {
            dayCost += costMicros;
            dayRequests += requests;
        }
    }

    /** What another thread has read. */
    synchronized void add(Sums other) {
        rows += other.rows;
        dayCost += other.dayCost;
        dayRequests += other.dayRequests;
        monthCost += other.monthCost;
        monthRequests += other.monthRequests;
    }

    /** The end of the report's line. */
    synchronized String json() {
        if (dayCost != monthCost || dayRequests != monthRequests) {
            throw new IllegalStateException("the accounts' days do not add up to their months");
        }
        return String.format(
                "\"cost_micros\":%d,\"requests\":%d,\"rows\":%d", dayCost, dayRequests, rows);
    }
}
