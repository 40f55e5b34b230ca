//! Claims about loading: all faults at once, layers, and that what is printed loads again.

use std::path::Path;

use super::*;

fn write(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tollgate.toml");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

fn set(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The report with the folder of the file cut off.
fn report(path: &Path, variables: &[(&str, &str)]) -> String {
    let faults = load(Some(path), set(variables)).expect_err("it has faults");
    let folder = format!("{}/", path.parent().expect("in a folder").display());
    faults.to_string().replace(&folder, "")
}

#[test]
fn nothing_set_gives_the_defaults() {
    let loaded = load(None, set(&[("TOLLGATE_CONFIG", "x"), ("TOLLGATE_ENGINE_THREADS", "")]));
    let loaded = loaded.expect("no fault");
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.is_empty());
}

#[test]
fn every_fault_is_reported_at_once_with_place_and_remedy() {
    let (_folder, path) = write(
        r#"bootstrap = "kafka:9092"
colour = true

[kafka]
bootstrap = ["kafka-1:9092", "kafka-2"]
session_timeout_ms = "10s"
client.acks = "1"
client.security.protocol = "PIGEON"
client."no.such.property" = 1

[topics]
billed = "same"
commands = "same"
journal = "no spaces"

[input]
format = "avro"

[output]
format = "confluent"

[engine]
thread = 4
threads = 0
dedup_minutes = 1441
state_dir = ""
batch_lines_max = 1.5
memory_bytes_max = 2024-01-01

[http]
ready_lag_max = -1
"#,
    );
    let variables = [
        ("TOLLGATE_ENGINE_RETENTION_DAYS", "forty"),
        ("TOLLGATE_ENGINE_TREADS", "4"),
        ("TOLLGATE_KAFKA_CLIENT_GROUP_ID", "g"),
        ("TOLLGATE_LOG_LEVEL", "loud"),
    ];
    let expected = "\
tollgate.toml:1:1: unknown key bootstrap
  next: did you mean kafka.bootstrap? Else remove it
tollgate.toml:2:1: unknown key colour
  next: remove it; `tollgate config schema` lists all keys
tollgate.toml:5:13: kafka.bootstrap contains the text \"kafka-2\"
  next: set a list, each host:port
tollgate.toml:6:22: kafka.session_timeout_ms is the text \"10s\"
  next: set a whole number from 1000 to 1800000
tollgate.toml:7:15: kafka.client.acks is set by the engine itself
  next: remove it; the engine always waits for all replicas
tollgate.toml:8:28: kafka.client.security.protocol is refused by librdkafka: \
Invalid value \"PIGEON\" for configuration property \"security.protocol\"
  next: see librdkafka's CONFIGURATION.md for names and values
tollgate.toml:9:29: kafka.client.no.such.property is refused by librdkafka: \
No such configuration property: \"no.such.property\"
  next: see librdkafka's CONFIGURATION.md for names and values
tollgate.toml:12:10: topics.billed and topics.commands are all \"same\"
  next: give each its own topic
tollgate.toml:14:11: topics.journal is \"no spaces\"
  next: set 1 to 249 of A-Z a-z 0-9 . _ -
tollgate.toml:17:10: input.format is \"avro\"
  next: set one of auto, json, avro-single, confluent
tollgate.toml:20:10: output.format is confluent, but no Schema Registry is named
  next: set input.schema_registry to its URL, or another format
tollgate.toml:23:1: unknown key engine.thread
  next: did you mean engine.threads? Else remove it
tollgate.toml:24:11: engine.threads is 0
  next: set a whole number from 1 to 1024
tollgate.toml:25:17: engine.dedup_minutes is 1441
  next: set a whole number from 1 to 1440
tollgate.toml:26:13: engine.state_dir is \"\"
  next: set a text that is not empty
tollgate.toml:27:19: engine.batch_lines_max is 1.5
  next: set a whole number from 1 to 1000000
tollgate.toml:28:20: engine.memory_bytes_max is the time 2024-01-01
  next: set a whole number from 16777216 to 1099511627776
tollgate.toml:31:17: http.ready_lag_max is -1
  next: set a whole number, 0 or more
TOLLGATE_ENGINE_RETENTION_DAYS: engine.retention_days is the text \"forty\"
  next: set a whole number from 2 to 36500
TOLLGATE_ENGINE_TREADS: no key has this variable
  next: did you mean TOLLGATE_ENGINE_THREADS? Else unset it
TOLLGATE_KAFKA_CLIENT_GROUP_ID: kafka.client.group.id is set by the engine itself
  next: set kafka.group instead
TOLLGATE_LOG_LEVEL: log.level is \"loud\"
  next: set one of error, warn, info, debug, trace
22 faults in the configuration; nothing was started";
    assert_eq!(report(&path, &variables), expected);
}

#[test]
fn broken_toml_hides_no_other_fault() {
    let (_folder, path) = write("[engine]\nthreads = \nthread = 3\n[engine]\n[[log]]\n");
    let report = report(&path, &[("TOLLGATE_HTTP_LISTEN", "nowhere")]);
    for part in [
        "tollgate.toml:2:",
        "tollgate.toml:3:1: unknown key engine.thread",
        "tollgate.toml:4:",
        "tollgate.toml:5:3: log is not a table",
        "TOLLGATE_HTTP_LISTEN: http.listen is \"nowhere\"",
    ] {
        assert!(report.contains(part), "{part}\nnot in\n{report}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault() {
    let report = report(Path::new("/nowhere/tollgate.toml"), &[]);
    assert!(report.starts_with("tollgate.toml:1:1: cannot be read"), "{report}");
}

#[test]
fn a_file_that_is_not_utf8_is_a_fault_with_its_place() {
    let (_folder, path) = write("");
    std::fs::write(&path, b"[log]\nlevel = \"\xff\"\n").expect("written");
    let report = report(&path, &[]);
    assert!(report.starts_with("tollgate.toml:2:10: not UTF-8"), "{report}");
}

#[test]
fn a_faulty_key_is_not_also_a_contradiction() {
    let (_folder, path) =
        write("[input]\nformat = \"confluent\"\nschema_registry = \"registry:8081\"\n");
    let report = report(&path, &[]);
    assert!(report.ends_with("1 fault in the configuration; nothing was started"), "{report}");
}

#[test]
fn variables_go_before_the_file_and_the_file_before_the_defaults() {
    let (_folder, path) = write(
        "[kafka]\nbootstrap = \"a:1, b:2\"\ngroup = \"file\"\n[kafka.client]\n\
         security.protocol = \"ssl\"\n\"ssl.key.password\" = \"k\"\n[engine]\nthreads = 3\n",
    );
    let loaded = load(
        Some(&path),
        set(&[
            ("TOLLGATE_KAFKA_GROUP", "variable"),
            ("TOLLGATE_KAFKA_CLIENT_SSL_CA_LOCATION", "/ca.pem"),
            ("TOLLGATE_ENGINE_MEMORY_BYTES_MAX", "1_000_000_000"),
            ("TOLLGATE_INPUT_SCHEMA_REGISTRY_USER", "tollgate"),
            ("TOLLGATE_INPUT_SCHEMA_REGISTRY_PASSWORD", "hush"),
            ("TOLLGATE_INPUT_WRITER_SCHEMAS", "a.avsc, b.avsc"),
        ]),
    )
    .expect("no fault");
    let kafka = &loaded.config.kafka;
    assert_eq!(kafka.bootstrap, ["a:1", "b:2"]);
    assert_eq!(kafka.group, "variable");
    assert_eq!(kafka.client["security.protocol"], "ssl");
    assert_eq!(kafka.client["ssl.ca.location"], "/ca.pem");
    assert_eq!(loaded.config.engine.threads, Some(3));
    assert_eq!(loaded.config.engine.memory_bytes_max, 1_000_000_000);
    assert_eq!(loaded.origins["kafka.group"], Place::Variable("TOLLGATE_KAFKA_GROUP".to_owned()));
    let schemas = &loaded.config.input.writer_schemas;
    assert_eq!(schemas, &[Path::new("a.avsc"), Path::new("b.avsc")]);
    let text = print(&loaded, false);
    assert!(!text.contains("hush"), "{text}");
    for line in [
        "# schema_registry_password is hidden  # TOLLGATE_INPUT_SCHEMA_REGISTRY_PASSWORD",
        "group = \"variable\"  # TOLLGATE_KAFKA_GROUP",
        &format!("threads = 3  # {}:8", path.display()),
        "session_timeout_ms = 10000  # default",
        "# advertised is unset  # default",
        "\"ssl.ca.location\" = \"/ca.pem\"  # TOLLGATE_KAFKA_CLIENT_SSL_CA_LOCATION",
        &format!("# \"ssl.key.password\" is hidden  # {}:6", path.display()),
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn what_is_printed_loads_again_to_the_same() {
    for docs in [false, true] {
        let (_folder, path) = write(
            "[kafka]\nbootstrap = [\"a:1\", \"b:2\"]\nclient.debug = \"broker\"\n\
             client.statistics.interval.ms = 5000\n[input]\nschema_registry = \"http://r:1\"\n\
             [log]\nformat = \"json\"\n[engine]\nstate_dir = 'a\"b\\c'\n",
        );
        let first = load(Some(&path), Vec::new()).expect("no fault");
        let (_folder, path) = write(&print(&first, docs));
        let second = load(Some(&path), Vec::new()).expect("no fault");
        assert_eq!(first.config, second.config);
    }
}

#[test]
fn the_schema_takes_what_the_defaults_are() {
    let schema = schema();
    let threads = &schema["properties"]["engine"]["properties"]["dedup_minutes"];
    assert_eq!(threads["default"], 10);
    assert_eq!(threads["minimum"], 1);
    assert_eq!(threads["maximum"], 1440);
    assert!(threads["description"].as_str().expect("a text").starts_with("Minutes for which"));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn no_two_keys_share_a_variable() {
    let schema = schema();
    let mut names: Vec<String> =
        rules::keys(&schema).iter().map(|key| load::variable(&key.path)).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
