//! What happens in the demo: generated traffic with limits small enough to be reached within a
//! minute, one-time passwords blocked for ten seconds, and an operator who raises what blocks.
//! Promise: blocks appear and are lifted within the first minute at any rate from 50 events/s.

use compact_str::format_compact;

use crate::fold::event::{Change, Command};
use crate::fold::limit::{Action, Amount, LimitSpec, Measure, Only, Scope, ScopeKind, Window};
use crate::generate::{Body, Generated, Options, Setting, Shares, Traffic};
use crate::money::Money;
use crate::time::Millis;

use super::told::Told;

const ACCOUNTS: u32 = 20;
/// Limits are sized by this much traffic, so that many are reached within it.
const SIZED_BY_SECONDS: u64 = 40;
/// Instead of the five minutes of every account's own: a demo is over by then.
const OTP_PERIOD_MS: i64 = 10_000;
const OTP: &str = "otp";

/// Endless lines from `start` on, to be sent as the clock runs.
pub fn lines(
    rate: u32,
    seed: u64,
    start: Millis,
) -> Result<impl Iterator<Item = Generated>, crate::generate::Error> {
    let options = Options {
        events: u64::MAX,
        seed,
        accounts: ACCOUNTS,
        profiles_per_account: 3,
        start,
        gap_us: 1_000_000 / u64::from(rate.max(1)),
        limits_per_account: 5,
        limits_sized_for: Some(u64::from(rate) * SIZED_BY_SECONDS),
        shares: Shares { garbage: "0.1%".parse()?, ..Shares::default() },
        ..Options::default()
    };
    let periods = (1..=ACCOUNTS).map(move |number| otp_limit(number, start));
    Ok(periods.chain(Traffic::new(&options)?.filter(fits)))
}

/// Leaves out limits on recipients: those of hours would hold on for the whole demo, and the one
/// on one-time passwords is the demo's own.
fn fits(line: &Generated) -> bool {
    match &line.body {
        Body::Setting(Setting { command, .. }) => match &command.change {
            Change::LimitSet(spec) => spec.scope.kind != ScopeKind::Recipient,
            // Of a limit that was never set: refused, and no harm done.
            Change::LimitRemoved { limit_id } => limit_id != OTP,
            Change::Other => true,
        },
        Body::Billed(_) | Body::Garbage { .. } => true,
    }
}

/// Three one-time passwords to a number in ten seconds, for one account.
fn otp_limit(number: u32, at: Millis) -> Generated {
    let spec = LimitSpec {
        limit_id: OTP.into(),
        scope: Scope { kind: ScopeKind::Recipient, id: None },
        measure: Measure::Requests,
        window: Window::Sliding { period_ms: OTP_PERIOD_MS, text: "PT10S".into() },
        amount: Amount::Count(3),
        action: Action::Block,
        thresholds: Vec::new(),
        enabled: true,
        only: Only { purpose: Some("otp".into()), feature: None },
    };
    let command = Command {
        command_id: format_compact!("demo-otp-{number}"),
        account_id: format_compact!("acct-{number:06}"),
        change: Change::LimitSet(spec),
    };
    setting(command, at, "shorter for the demo")
}

fn setting(command: Command, at: Millis, reason: &'static str) -> Generated {
    let body = Body::Setting(Setting {
        command,
        issued_at: at,
        actor: "demo-operator",
        reason: Some(reason),
    });
    Generated { recorded_at: at, body }
}

/// The command by which an operator answers a block record: twice what is used already. `None` for
/// sliding and distinct limits, which lift themselves.
pub fn raised(block: &Told, at: Millis) -> Option<Generated> {
    let (measure, amount) = match block.measure.as_deref()? {
        "cost" => {
            let twice = Money(Money::parse(block.current.as_deref()?).ok()?.0.checked_mul(2)?);
            (Measure::Cost, Amount::Cost(twice))
        }
        "requests" => {
            let requests: u64 = block.current.as_deref()?.parse().ok()?;
            (Measure::Requests, Amount::Count(requests.checked_mul(2)?))
        }
        _ => return None,
    };
    let window = match block.window.as_deref()? {
        "day" => Window::Day,
        "month" => Window::Month,
        _ => return None,
    };
    let scope = block.scope.as_ref()?;
    let named = [ScopeKind::Account, ScopeKind::Feature, ScopeKind::Profile, ScopeKind::Country];
    let kind = named.into_iter().find(|kind| kind.as_str() == scope.kind)?;
    let spec = LimitSpec {
        limit_id: block.limit_id.as_deref()?.into(),
        scope: Scope { kind, id: scope.id.as_deref().map(Into::into) },
        measure,
        window,
        amount,
        action: Action::Block,
        thresholds: vec![50, 75, 90, 100],
        enabled: true,
        only: Only::default(),
    };
    let command = Command {
        command_id: format_compact!("raise-{}-{}", spec.limit_id, at.0),
        account_id: block.account_id.as_deref()?.into(),
        change: Change::LimitSet(spec),
    };
    Some(setting(command, at, "raised after a block"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_doubles_what_is_used() {
        let record = r#"{"type":"block_changed","account_id":"a","limit_id":"l","scope":{"kind":
            "profile","id":"p"},"measure":"cost","window":"day","current":"10.02"}"#;
        let block: Told = serde_json::from_str(record).expect("a block record");
        let Some(Generated { body: Body::Setting(setting), .. }) = raised(&block, Millis(5)) else {
            panic!("no command")
        };
        let Change::LimitSet(spec) = setting.command.change else { panic!("no limit") };
        assert_eq!(spec.amount, Amount::Cost(Money(20_040_000)));
        assert_eq!(spec.scope.id.as_deref(), Some("p"));
    }

    #[test]
    fn what_slides_is_left_to_lift_itself() {
        let record = r#"{"type":"block_changed","account_id":"a","limit_id":"otp","scope":{"kind":
            "recipient","id":"+39"},"measure":"requests","window":"PT10S","current":"3"}"#;
        let block: Told = serde_json::from_str(record).expect("a block record");
        assert_eq!(raised(&block, Millis(5)), None);
    }
}
