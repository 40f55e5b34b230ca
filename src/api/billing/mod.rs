//! `/v2/billing`: limits of an account and of its features, alerts, and who is told (A1-A14).
//! Promise: each is a limit or a document like any other; money keeps every digit, and the state
//! in an answer is that after the change.

mod alerts;
mod amount;
mod idempotency;
mod limit;
mod limits;
mod preferences;

use std::sync::Arc;

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::control::Control;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .merge(limits::routes())
        .merge(alerts::routes())
        .merge(preferences::routes())
}

/// The envelope of every answer (A1).
#[derive(Serialize, ToSchema)]
struct Success<T> {
    /// Always true; errors have `"success": false`.
    success: bool,
    data: T,
}

type Answer<T> = Json<Success<T>>;

fn success<T>(data: T) -> Answer<T> {
    Json(Success { success: true, data })
}

/// Where notifications go. Addresses are in `/v2/billing/notifications`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Channel {
    Email,
    Sms,
    Webhook,
    Slack,
}

impl Channel {
    const ALL: [Channel; 4] = [Channel::Email, Channel::Sms, Channel::Webhook, Channel::Slack];

    fn as_str(self) -> &'static str {
        match self {
            Channel::Email => "email",
            Channel::Sms => "sms",
            Channel::Webhook => "webhook",
            Channel::Slack => "slack",
        }
    }

    /// Each once, in the order of `ALL`.
    fn each_once(channels: &[Channel]) -> Vec<Channel> {
        Channel::ALL.into_iter().filter(|channel| channels.contains(channel)).collect()
    }

    /// Those that a setting names; words of a later release are none of ours.
    fn named(words: &[&str]) -> Vec<Channel> {
        Channel::ALL.into_iter().filter(|channel| words.contains(&channel.as_str())).collect()
    }
}

/// What was removed.
#[derive(Serialize, ToSchema)]
struct Deleted {
    id: String,
    /// Always true.
    deleted: bool,
}
