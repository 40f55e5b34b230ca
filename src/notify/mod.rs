//! Tells people of limits reached and thresholds crossed: webhooks, e-mail, Slack, short messages.
//! Promise: what is to be told, what was sent and what comes next stands in a topic, so that a
//! crash forgets nothing and repeats nothing that was acknowledged; no target inside a private
//! network is ever connected to unless it was allowed.

pub mod channel;
pub mod http;
pub mod mail;
pub mod signing;
pub mod slack;
pub mod sms;
pub mod webhook;
pub mod words;
