//! A send that is asked about, and the answer.
//! Promise: a denial names every block that holds the send, the one that ends last first (C5).

use std::cmp::Reverse;
use std::sync::Arc;

use crate::time::{END, Millis};
use crate::wire::BlockSeen;

/// What is about to be sent, as its billed event will have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Send<'a> {
    pub account: &'a str,
    pub profile: Option<&'a str>,
    /// `sms`, `whatsapp`, …
    pub feature: &'a str,
    /// ISO 3166-1 alpha-2, in either case.
    pub country: Option<&'a str>,
    pub sender: Option<&'a str>,
    pub recipient: Option<&'a str>,
    /// `otp`, `session`, …
    pub purpose: Option<&'a str>,
}

impl Send<'_> {
    /// Whether it is a WhatsApp session message; templates and all else are free of the rule (O5).
    #[must_use]
    pub fn needs_session(&self) -> bool {
        self.feature == "whatsapp" && self.purpose == Some("session")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Allow,
    Deny(Denial),
}

impl Verdict {
    #[must_use]
    pub fn allowed(&self) -> bool {
        matches!(self, Verdict::Allow)
    }
}

/// Why a send may not go.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// All blocks that hold it: the one that ends last first, those that end together by limit_id.
    pub blocks: Vec<Arc<BlockSeen>>,
    /// It is a WhatsApp session message and no session is open (O5).
    pub session_closed: bool,
    /// The gate has had no news for too long and fails closed.
    pub stale: bool,
    /// When this was found.
    pub now: Millis,
}

/// What decides a denial: what lasts longest of all that holds the send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause<'d> {
    /// Lasts until the contact writes, so no end is known.
    SessionClosed,
    Block(&'d BlockSeen),
    /// Nothing that is known holds it.
    Stale,
}

impl Denial {
    pub(super) fn new(
        mut blocks: Vec<Arc<BlockSeen>>,
        session_closed: bool,
        stale: bool,
        now: Millis,
    ) -> Denial {
        blocks.sort_by(|a, b| {
            let order = |block: &BlockSeen| Reverse(ends_at(block));
            order(a).cmp(&order(b)).then_with(|| a.limit_id.cmp(&b.limit_id))
        });
        Denial { blocks, session_closed, stale, now }
    }

    #[must_use]
    pub fn cause(&self) -> Cause<'_> {
        match self.blocks.first() {
            _ if self.session_closed => Cause::SessionClosed,
            Some(block) => Cause::Block(block),
            None => Cause::Stale,
        }
    }

    /// Whole seconds until the last block has ended, at least 1 (O2); `None` where no block decides
    /// or its end is not known.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        let Cause::Block(block) = self.cause() else { return None };
        let left_ms = block.blocked_until?.0.saturating_sub(self.now.0);
        Some(u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000).max(1))
    }
}

/// At this instant the block is over. One without an end lasts until it is lifted.
pub(super) fn ends_at(block: &BlockSeen) -> Millis {
    block.blocked_until.unwrap_or(END)
}
