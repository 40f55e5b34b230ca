//! Claims about the binary as a shell sees it: what it prints where, and its exit codes.
//! It starts no broker; what needs one is tested with a real Kafka.
#![cfg(feature = "engine")]

use std::process::{Command, Output};

/// Runs the binary with only these variables of ours.
fn tollgate(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOLLGATE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints UTF-8")
}

#[test]
fn help_names_every_exit_code_and_gives_examples() {
    let output = tollgate(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for part in ["Examples:", "Exit codes:", "\n  0  ", "\n  1  ", "\n  2  ", "\n  3  "] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    for command in ["run", "replay", "generate", "demo", "topics check", "config check"] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let help = text(&tollgate(&arguments, &[]).stdout);
        assert!(help.contains("Example"), "{command}: {help}");
    }
}

#[test]
fn wrong_arguments_end_with_2() {
    for arguments in [&["paint"][..], &["replay"], &["config", "check", "--colour"]] {
        let output = tollgate(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_faulty_configuration_ends_with_2_and_starts_nothing() {
    let wrong = [("TOLLGATE_ENGINE_THREADS", "0"), ("TOLLGATE_KAFKA_GRUOP", "g")];
    for arguments in [&["config", "check"][..], &["run"], &["topics", "create"]] {
        let output = tollgate(arguments, &wrong);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = text(&output.stderr);
        assert!(told.contains("engine.threads is 0"), "{told}");
        assert!(told.contains("did you mean TOLLGATE_KAFKA_GROUP?"), "{told}");
        assert!(told.contains("2 faults"), "{told}");
    }
}

#[test]
fn a_printed_configuration_passes_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tollgate.toml");
    let printed = tollgate(&["config", "print"], &[("TOLLGATE_LOG_FORMAT", "json")]);
    assert_eq!(printed.status.code(), Some(0));
    std::fs::write(&path, &printed.stdout).expect("written");
    let path = path.to_str().expect("a plain path");
    let checked = tollgate(&["config", "check"], &[("TOLLGATE_CONFIG", path)]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let printed = tollgate(&["config", "print", "--brief", "--config", path], &[]);
    assert!(text(&printed.stdout).contains("format = \"json\"  # "), "{printed:?}");
}

#[test]
fn the_schema_is_json_and_completions_are_for_the_shell() {
    let schema = tollgate(&["config", "schema"], &[]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).expect("JSON");
    assert_eq!(schema["properties"]["kafka"]["properties"]["group"]["default"], "tollgate");
    let script = tollgate(&["completions", "bash"], &[]);
    assert!(text(&script.stdout).contains("complete -F"), "{script:?}");
}

#[test]
fn brokers_out_of_reach_end_with_1_and_say_what_to_check() {
    let variables = [
        ("TOLLGATE_KAFKA_BOOTSTRAP", "127.0.0.1:1"),
        ("TOLLGATE_KAFKA_REQUEST_TIMEOUT_MS", "1000"),
        ("TOLLGATE_HTTP_LISTEN", "127.0.0.1:0"),
    ];
    for arguments in [&["topics", "check"][..], &["run"]] {
        let output = tollgate(arguments, &variables);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let told = text(&output.stderr);
        assert!(told.contains("no answer from the brokers at 127.0.0.1:1"), "{told}");
        assert!(told.contains("next: check kafka.bootstrap"), "{told}");
    }
}

#[test]
fn the_same_seed_gives_the_same_log_and_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    for run in ["1", "2"] {
        let log = path(&format!("log{run}.ndjson"));
        let made = ["generate", "--events", "2000", "--seed", "7", "--garbage", "1%"];
        let made = tollgate(&[&made[..], &["--out", &log]].concat(), &[]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
        let (decisions, totals) = (path(&format!("d{run}")), path(&format!("t{run}")));
        let files = ["--log", &log, "--decisions", &decisions, "--totals", &totals];
        let folded = tollgate(&[&["replay", "--json"], &files[..]].concat(), &[]);
        assert_eq!(folded.status.code(), Some(0), "{}", text(&folded.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&folded.stdout).expect("JSON");
        assert!(summary["lines"].as_u64() >= Some(2000), "{summary}");
    }
    for (first, second) in [("log1.ndjson", "log2.ndjson"), ("t1", "t2")] {
        let read = |name| std::fs::read(path(name)).expect("written");
        assert!(read(first) == read(second), "{first} and {second} differ");
        assert!(!read(first).is_empty());
    }
    let strict = tollgate(&["replay", "--strict", "--log", &path("log1.ndjson")], &[]);
    assert_eq!(strict.status.code(), Some(3), "garbage was rejected");
}

#[test]
fn decisions_on_standard_output_stand_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.ndjson");
    let log = log.to_str().expect("a plain path");
    std::fs::write(log, "no json\n").expect("written");
    let folded = tollgate(&["replay", "--log", log, "--decisions", "-", "--json"], &[]);
    assert_eq!(folded.status.code(), Some(0));
    let told = text(&folded.stdout);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("\"reason\":\"undecodable\""), "{told}");
    assert!(text(&folded.stderr).contains("\"lines\":1"), "{folded:?}");
}

#[test]
fn a_log_that_would_be_written_over_ends_with_2_and_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.ndjson");
    std::fs::write(&log, "\n").expect("written");
    let path = log.to_str().expect("a plain path");
    let refused = tollgate(&["replay", "--log", path, "--totals", path], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read(&log).expect("it is there"), b"\n");
}

#[test]
fn signing_keys_are_rotated_and_only_their_owner_may_read_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("signing.json");
    let at = [("TOLLGATE_NOTIFY_SIGNING_KEYS", path.to_str().expect("a plain path"))];
    let signing = |arguments: &[&str]| tollgate(&[&["keys", "signing"], arguments].concat(), &at);
    let done = |arguments: &[&str]| {
        let output = signing(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let refused = |arguments: &[&str], why: &str| {
        let output = signing(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(why), "{arguments:?}: {told}");
        assert!(told.contains("\n  next: "), "{arguments:?}: {told}");
    };
    let id = |row: &str| row.split(' ').next().expect("an id").to_owned();

    refused(&["list"], "keys signing new --file");
    let first = done(&["new"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&path).expect("the file is made").permissions(),
    );
    assert_eq!(mode & 0o7777, 0o600);
    let second = done(&["new"]);
    assert!(first.contains("  active   ") && second.contains("  waiting  "), "{first}{second}");
    assert_eq!(done(&["list"]), format!("{first}{second}"));
    let shown = done(&["show", "--account", "acme"]);
    assert_eq!(shown.matches(" whsec_").count(), 2, "{shown}");
    for row in [&first, &second] {
        let public_key = row.trim_end().rsplit(' ').next().expect("a public key");
        assert!(shown.contains(&format!(" {public_key}\n")), "{shown}");
        assert!(shown.contains(&format!(" whpk_{public_key}\n")), "{shown}");
    }
    assert_ne!(done(&["show", "--account", "acme2"]), shown);

    refused(&["retire", &id(&first)], "keys signing activate ID");
    refused(&["activate", "0123456789abcdef"], "no signing key 0123456789abcdef");
    done(&["activate", &id(&second)]);
    assert_eq!(
        done(&["list"]),
        format!("{first}{second}").replace("active ", "leaving").replace("waiting", "active ")
    );
    done(&["retire", &id(&first)]);
    assert_eq!(done(&["list"]), second.replace("waiting", "active "));

    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&path, open).expect("the mode is set");
    refused(&["show", "--account", "acme"], "chmod 600 ");
}
