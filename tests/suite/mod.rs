//! What the suites with outside programs share: they say whether they ran, in a file that the test
//! command prints last, and they may be skipped on a desk that lacks a program, never in CI.

use std::fs;
use std::io::Write;
use std::path::Path;

/// Keeps a suite's word for the closing lines, and says it now.
pub fn verdict(suite: &str, text: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verdicts");
    let line = format!("{suite} suite {text}");
    let kept = fs::create_dir_all(&folder)
        .and_then(|()| fs::OpenOptions::new().create(true).append(true).open(folder.join(suite)))
        .and_then(|mut file| writeln!(file, "{line}"));
    kept.expect("the build folder can be written");
    say(&line);
}

/// The suite cannot run for want of something: told, and a failure under `CI=true`.
pub fn skipped(suite: &str, missing: &str) {
    verdict(suite, &format!("DID NOT RUN: {missing}"));
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "the {suite} suite may not be skipped in CI: {missing}");
}

/// Says it at once. A print macro's words would be swallowed by the test runner.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written");
}
