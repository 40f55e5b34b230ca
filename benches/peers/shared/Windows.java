// The UTC calendar month of a time, and its day inside the month. Promise: months are numbers that
// grow with time; an event of the same day as the one before costs a comparison. It leaves out
// every other zone and window.
package tollgate.peers;

import java.time.LocalDate;

final class Windows {
    private static final long DAY_MS = 86_400_000;

    /** Months since January 1970. */
    int month;
    /** 1 to 31. */
    int dayOfMonth;

    private long day = -1;

    void moveTo(long atMs) {
        long day = Math.floorDiv(atMs, DAY_MS);
        if (day != this.day) {
            LocalDate date = LocalDate.ofEpochDay(day);
            this.day = day;
            month = (date.getYear() - 1970) * 12 + date.getMonthValue() - 1;
            dayOfMonth = date.getDayOfMonth();
        }
    }
}
