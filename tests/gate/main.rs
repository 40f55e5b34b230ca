//! The gate as a send path has it: on topics of librdkafka's mock cluster, by the real protocol;
//! what it links; and that a yes allocates nothing.

#![cfg(feature = "gate")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod frugal;
mod topics;

/// A send path that links the gate compiles no RocksDB, no server and no command line.
#[test]
fn the_gate_alone_links_a_kafka_client_and_no_store() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let tree = |features: &str| {
        let told = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none"])
            .args(["--no-default-features", "--features", features, "--manifest-path", manifest])
            .output()
            .unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    };
    let links =
        |tree: &str, name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    let gate = tree("gate");
    assert!(links(&gate, "rdkafka") && links(&gate, "papaya"), "{gate}");
    for heavy in ["rocksdb", "librocksdb-sys", "axum", "clap", "tokio", "reqwest", "prometheus"] {
        assert!(!links(&gate, heavy), "{heavy} comes with the gate");
    }
    // What is looked for is found where it is.
    assert!(links(&tree("engine"), "librocksdb-sys"));
}
