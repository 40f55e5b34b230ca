//! Keeps `deploy/` and the compose file true: the metrics that alerts name exist, and the variables
//! that the containers set are ones that `tollgate config check` knows. It starts no container.

#![cfg(feature = "engine")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(path: &str) -> String {
    fs::read_to_string(in_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words that begin with `prefix`, made of letters, digits and underscores.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
}

#[test]
fn alerts_name_metrics_that_exist() {
    let mut declared = String::new();
    for entry in fs::read_dir(in_project("src/telemetry")).expect("telemetry is there") {
        declared += &fs::read_to_string(entry.expect("it is listed").path()).expect("it is text");
    }
    let declared = words(&declared, "tollgate_");
    let named = words(&text_of("deploy/alerts.yml"), "tollgate_");
    assert!(named.len() > 5, "no alert names a metric");
    for metric in named {
        let base = metric.trim_end_matches("_bucket");
        assert!(declared.contains(base), "deploy/alerts.yml: {metric} is not declared");
    }
}

/// `TOLLGATE_NAME: value` of YAML and `TOLLGATE_NAME=value` of a Dockerfile.
fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let found = lines.filter_map(|line| {
        let set = &line[line.find("TOLLGATE_")?..];
        let (name, value) = set.split_once([':', '='])?;
        let value = value.trim().trim_end_matches('\\').trim().trim_matches('"');
        Some((name.to_owned(), value.to_owned()))
    });
    found.collect()
}

#[test]
fn containers_set_variables_that_are_known() {
    let set = [text_of("docker-compose.yml"), text_of("deploy/Dockerfile")];
    let set: Vec<(String, String)> = set.iter().flat_map(|text| variables(text)).collect();
    assert!(set.len() > 4, "the containers set nothing: {set:?}");
    let check = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["config", "check"])
        .envs(set)
        .output()
        .expect("tollgate can be started");
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "config check with the containers' variables: {said}");
}

/// Cargo reads no manifest whose declared targets are missing, not even to build another one.
#[test]
fn the_image_has_every_folder_that_the_manifest_names() {
    let (manifest, image) = (text_of("Cargo.toml"), text_of("deploy/Dockerfile"));
    let ignored = text_of(".dockerignore");
    let targets = [("[[bench]]", "benches"), ("[[example]]", "examples"), ("[[test]]", "tests")];
    for (target, folder) in targets {
        if manifest.contains(target) {
            let copied = image.contains(&format!("COPY {folder} {folder}"));
            let sent = ignored.lines().any(|line| line == format!("!{folder}"));
            assert!(copied && sent, "Cargo.toml names a {target}, the image has no {folder}/");
        }
    }
}
