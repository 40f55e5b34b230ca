//! Notifications as their receivers meet them: `tollgate run` on real Apache Kafka, receivers of
//! every temper on this machine, notifiers killed again and again.

#![cfg(feature = "engine")]
#![allow(clippy::disallowed_methods, reason = "the suite waits for programs outside of it")]

#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/dice.rs"]
mod dice;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../suite/disk.rs"]
mod disk;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/engine.rs"]
mod engine;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "the control plane's suite uses all of it")]
#[path = "../api/rig.rs"]
mod rig;
#[path = "../suite/mod.rs"]
mod suite;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/topics.rs"]
mod topics;

mod channels;
mod mailbox;
mod office;
mod receiver;
mod storm;
