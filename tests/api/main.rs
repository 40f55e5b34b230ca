//! The control plane as its clients meet it: `tollgate run` on real Apache Kafka, real billed
//! events through a real engine, requests over HTTP.

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
#[path = "../suite/python.rs"]
mod python;
#[path = "../suite/mod.rs"]
mod suite;
#[allow(dead_code, reason = "the storms' suite uses all of it")]
#[path = "../kafka/topics.rs"]
mod topics;

mod billing;
mod countries;
mod keys;
mod openapi;
mod others;
mod owners;
mod profiles;
#[allow(dead_code, reason = "the notifiers' suite uses all of it")]
mod rig;
mod sdk;
mod spend;
