//! Makes a log that shows a fault as short as it gets: lines are taken away, in ever smaller
//! runs, as long as the fault stays. It changes no line, so what is left is still a log.

/// The shortest log found for which `fails` is true; `log` itself must fail.
pub fn smallest(log: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut run = lines.len() / 2;
    while run > 0 {
        let mut start = 0;
        let mut shorter = false;
        while start < lines.len() {
            let end = (start + run).min(lines.len());
            let rest = [&lines[..start], &lines[end..]].concat();
            if fails(&rest.concat()) {
                lines = rest;
                shorter = true;
            } else {
                start = end;
            }
        }
        if !shorter || run > 1 {
            run /= 2;
        }
    }
    lines.concat()
}
