//! Tollgate reads what every message cost, keeps exact totals per window, and tells the send path
//! and the notifiers whose sending has to stop and whose may go on.
//!
//! ```text
//! messages.billed ─┐                          ┌─▶ block-state ─▶ gate (asked before a send)
//!                  ├─▶ engine: fold ─▶ journal ┼─▶ limit-reached, threshold-crossed ─▶ notify
//! commands ────────┘       │                  └─▶ dead-letter
//!                          ▼
//!                 state (memory + RocksDB)
//! ```
//!
//! Follow one billed event: [`wire`] turns bytes into types; [`engine`] reads the topics, merges
//! lines and hands them to [`fold`], which alone decides; [`journal`] holds the rule by which a
//! record of what was folded wins; [`store`] keeps rows as of a journal position. [`replay`] runs
//! the same fold over files. [`gate`] follows block-state by a [`tail`] and is asked before each
//! send. [`api`] sets limits, also from spreadsheets, which [`sheet`] reads. [`notify`] tells
//! people. [`money`] and [`time`] stand below all.
//!
//! The laws: the fold is arithmetic (L1); the log is the truth, state a cache of it (L2); nothing
//! leaves before its record is acknowledged (L3); the journal is a chain, and the first to extend
//! it has decided (L4); totals are kept for every scope at all times (L5); the last record of a
//! block key is the whole truth about it (L6); nothing is dropped in silence (L7).

#[cfg(feature = "engine")]
pub mod api;
#[cfg(feature = "engine")]
pub mod cli;
#[cfg(feature = "files")]
pub mod config;
#[cfg(feature = "engine")]
pub mod demo;
pub mod engine;
pub mod error;
pub mod fault_point;
pub mod fold;
#[cfg(feature = "gate")]
pub mod gate;
#[cfg(feature = "files")]
pub mod generate;
pub mod journal;
#[cfg(feature = "gate")]
pub mod kafka;
pub mod money;
#[cfg(feature = "notify")]
pub mod notify;
#[cfg(feature = "files")]
pub mod replay;
pub mod settings;
#[cfg(feature = "files")]
pub mod sheet;
pub mod store;
#[cfg(feature = "gate")]
pub mod tail;
#[cfg(any(feature = "engine", feature = "gate"))]
pub mod telemetry;
pub mod time;
#[cfg(feature = "engine")]
pub mod topics;
pub mod wire;
