//! Settings: what the commands of an account add up to, with who changed what (A12). Promise: a
//! pure fold of the command topic, in its order; what the engine refuses changes nothing here. It
//! knows no totals and no blocks: those are the engine's.

#[cfg(feature = "notify")]
pub mod known;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use compact_str::CompactString;
use serde_json::{Map, Value};

use crate::fold::BUILT_IN;
use crate::fold::event::Change;
use crate::fold::limit::LimitSpec;
use crate::time::Millis;
use crate::wire::{Recorded, limit_value};

/// Kind of the documents that hold api keys (`keys` in the command line).
pub const KEY: &str = "key";
/// Kind of the documents that hold profiles; the body has the fields that were set, and `id`.
pub const PROFILE: &str = "profile";
/// Kind of the document by which channels an account is told (A10); an account has one.
pub const PREFERENCES: &str = "preferences";

/// The settings of all accounts.
#[derive(Debug)]
pub struct Settings {
    accounts: HashMap<CompactString, Arc<Account>>,
    /// The account of each api key, by the key's id.
    keys: HashMap<String, CompactString>,
    audit_entries_max: usize,
}

/// The settings of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// By limit_id. The built-in limit is not among them until a command sets it.
    pub limits: BTreeMap<CompactString, LimitSetting>,
    /// Everything else, by kind (`profile`, `alert`, …) and id.
    documents: BTreeMap<(String, String), Document>,
    /// The newest changes, oldest first.
    pub audit: VecDeque<Changed>,
}

/// A limit, and what belongs to it beside what the fold takes.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitSetting {
    pub spec: LimitSpec,
    pub body: Map<String, Value>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A setting that is no limit: its body is the whole content.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub body: Map<String, Value>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// One change of a setting: who, when, from what to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub command_id: String,
    pub issued_at: Millis,
    pub actor: Option<String>,
    pub reason: Option<String>,
    /// `limit_set`, `profile_removed`, …
    pub kind: String,
    /// The limit's or document's; empty for a document that an account has one of.
    pub id: String,
    /// `None` for what was not there.
    pub from: Option<Value>,
    pub to: Option<Value>,
}

impl Settings {
    /// Remembers at most `audit_entries_max` changes of each account; the command topic has all.
    #[must_use]
    pub fn new(audit_entries_max: usize) -> Settings {
        Settings { accounts: HashMap::new(), keys: HashMap::new(), audit_entries_max }
    }

    /// The account's settings; empty ones for an account without.
    #[must_use]
    pub fn account(&self, id: &str) -> Arc<Account> {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    /// An api key's account and document.
    #[must_use]
    pub fn key(&self, key_id: &str) -> Option<(&str, &Document)> {
        let account_id = self.keys.get(key_id)?;
        let key = self.accounts.get(account_id)?.document(KEY, key_id)?;
        Some((account_id, key))
    }

    /// Takes the next command.
    pub fn apply(&mut self, recorded: &Recorded) {
        let account_id = &recorded.command.account_id;
        let account = Arc::make_mut(self.accounts.entry(account_id.clone()).or_default());
        let (id, from, to) = match recorded.change() {
            Change::LimitSet(spec) => account.set_limit(spec, recorded),
            Change::LimitRemoved { limit_id } => {
                let from = account.limits.remove(limit_id).map(|limit| limit.shown());
                (limit_id.to_string(), from, None)
            }
            Change::Other => {
                let Some((kind, is_set)) = kind_of(&recorded.kind) else { return };
                let id = recorded.body.get("id").and_then(Value::as_str).unwrap_or("").to_owned();
                let (from, to) = account.set_document(kind, &id, is_set, recorded);
                if kind == KEY {
                    self.keys.insert(id.clone(), account_id.clone());
                }
                (id, from, to)
            }
        };
        if from == to {
            return;
        }
        account.audit.push_back(Changed {
            command_id: recorded.command.command_id.to_string(),
            issued_at: recorded.issued_at,
            actor: recorded.actor.clone(),
            reason: recorded.reason.clone(),
            kind: recorded.kind.clone(),
            id,
            from,
            to,
        });
        let spare = account.audit.len().saturating_sub(self.audit_entries_max);
        account.audit.drain(..spare);
    }
}

/// `profile` of `profile_set` and `profile_removed`, and whether it is set.
fn kind_of(command: &str) -> Option<(&str, bool)> {
    let set = command.strip_suffix("_set").map(|kind| (kind, true));
    set.or_else(|| Some((command.strip_suffix("_removed")?, false)))
}

/// A change's id, what was there, and what is.
type Step = (String, Option<Value>, Option<Value>);

impl Account {
    #[must_use]
    pub fn document(&self, kind: &str, id: &str) -> Option<&Document> {
        self.documents.get(&(kind.to_owned(), id.to_owned()))
    }

    /// All of a kind, with their ids in order.
    pub fn documents<'a>(&'a self, kind: &str) -> impl Iterator<Item = (&'a str, &'a Document)> {
        let from = (kind.to_owned(), String::new());
        let kind = from.0.clone();
        let of_kind =
            self.documents.range(from..).take_while(move |((other, _), _)| *other == kind);
        of_kind.map(|((_, id), document)| (id.as_str(), document))
    }

    /// Ids of all its limits, the built-in one among them.
    #[must_use]
    pub fn limit_ids(&self) -> Vec<CompactString> {
        let built_in = CompactString::const_new(BUILT_IN);
        let is_set = self.limits.contains_key(&built_in);
        self.limits.keys().cloned().chain((!is_set).then_some(built_in)).collect()
    }

    fn set_limit(&mut self, spec: &LimitSpec, recorded: &Recorded) -> Step {
        let former = self.limits.get(&spec.limit_id);
        let (from, created_at) = match former {
            Some(former) => (Some(former.shown()), former.created_at),
            None => (None, recorded.issued_at),
        };
        let (spec, body, updated_at) = (spec.clone(), recorded.body.clone(), recorded.issued_at);
        let limit = LimitSetting { spec, body, created_at, updated_at };
        let (id, to) = (limit.spec.limit_id.clone(), limit.shown());
        self.limits.insert(id.clone(), limit);
        (id.to_string(), from, Some(to))
    }

    fn set_document(
        &mut self,
        kind: &str,
        id: &str,
        is_set: bool,
        recorded: &Recorded,
    ) -> (Option<Value>, Option<Value>) {
        let key = (kind.to_owned(), id.to_owned());
        let former = self.documents.remove(&key);
        let created_at = former.as_ref().map_or(recorded.issued_at, |former| former.created_at);
        let from = former.map(|former| former.body.into());
        if !is_set {
            return (from, None);
        }
        let (body, updated_at) = (recorded.body.clone(), recorded.issued_at);
        self.documents.insert(key, Document { body: body.clone(), created_at, updated_at });
        (from, Some(body.into()))
    }
}

impl LimitSetting {
    /// As the audit shows it: the limit's fields, and its body if it has one.
    fn shown(&self) -> Value {
        let mut shown = limit_value(&self.spec);
        if let (Value::Object(members), false) = (&mut shown, self.body.is_empty()) {
            members.insert("body".to_owned(), self.body.clone().into());
        }
        shown
    }
}

#[cfg(test)]
mod tests;
