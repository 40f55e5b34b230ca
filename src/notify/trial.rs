//! A sample through every channel of an account, to see what comes back. Promise: it says of itself
//! that it is one, and leaves no trace in the ledger.

use rand::random;
use uuid::Uuid;

use super::channel::Outcome;
use super::channels::Channels;
use super::courier::place;
use super::delivery::{Delivery, Target};
use super::plan::{profile_urls, text, texts};
use super::webhook::Occasion;
use crate::fold::limit::{Action, Amount, Measure, Scope, ScopeKind};
use crate::settings::{Account, PREFERENCES, PROFILE};
use crate::time::Millis;
use crate::wire::{Notice, What};

/// What came back from one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub channel: &'static str,
    /// A mailbox, or a URL up to its host.
    pub to: String,
    pub outcome: Outcome,
}

/// Sends a made-up notice to each webhook, Slack and mailbox of the account. Short messages are the
/// carrier's to send: none is asked for.
pub async fn send(
    channels: &Channels,
    account_id: &str,
    account: &Account,
    now: Millis,
) -> Vec<Tried> {
    let notice = notice(account_id, now);
    let delivery = |target| Delivery::new(notice.clone(), target, now);
    let mut tried = Vec::new();
    let none = serde_json::Map::new();
    let preferences = account.document(PREFERENCES, "").map_or(&none, |document| &document.body);
    let profiles = account.documents(PROFILE).flat_map(|(id, _)| profile_urls(account, id));
    let webhooks = profiles.chain(text(preferences, "webhook").map(str::to_owned));
    for url in webhooks {
        let delivery = delivery(Target::Webhook);
        let outcome = channels.webhook(&delivery, Occasion::Trial, &url, now).await;
        tried.push(Tried { channel: "webhook", to: place(&url), outcome });
    }
    if let Some(url) = text(preferences, "slack") {
        let outcome = channels.slack(&delivery(Target::Slack), account, url).await;
        tried.push(Tried { channel: "slack", to: place(url), outcome });
    }
    for address in texts(preferences.get("email_addresses")) {
        let target = Target::Email { address: address.clone() };
        let outcome = channels.mail(&delivery(target), account, &address, now).await;
        tried.push(Tried { channel: "email", to: address, outcome });
    }
    tried
}

/// Of a limit that nobody has.
fn notice(account_id: &str, now: Millis) -> Notice {
    let day = now.day();
    Notice {
        id: Uuid::from_u128(random()),
        account_id: account_id.to_owned(),
        limit_id: "test".to_owned(),
        limit_version: 1,
        scope: Scope { kind: ScopeKind::Account, id: None },
        measure: Measure::Requests,
        window: "day".to_owned(),
        bounds: Some(crate::fold::limit::Bounds { start: day.start(), end: day.next().start() }),
        what: What::Reached { action: Action::Alert },
        configured_limit: Amount::Count(1),
        before: Amount::Count(0),
        current: Amount::Count(1),
        now,
        command_offset: None,
    }
}
