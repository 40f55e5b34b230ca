//! Reads `*.case`: a scenario as a carrier's product manager would write it down, one step a line.
//! Promise: a step becomes the JSON line a log would hold and what `wire` makes of it, so a case
//! shows the way from the wire to the decision. README.md beside the cases explains the format.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use tollgate::fold::event::{Input, Line, Position};
use tollgate::time::Millis;
use tollgate::wire::json::decode_line;

/// One scenario.
pub struct Case {
    /// The file's name.
    pub name: String,
    /// Ids of REQUIREMENTS.md.
    pub shows: Vec<String>,
    pub dedup_minutes: u32,
    /// The account of every step that names no other.
    pub account: String,
    pub steps: Vec<Step>,
    /// What the totals say in the end: line number and text.
    pub totals: Vec<(usize, String)>,
}

/// One line that is folded and what it must lead to.
pub struct Step {
    /// Line number in the case's file.
    pub number: usize,
    /// The time in front of the step.
    pub at: Millis,
    /// The line as a log holds it, without its line break.
    pub json: Vec<u8>,
    pub line: Line<'static>,
    pub expected: Vec<Expected>,
}

/// `=> text (detail, detail)`
#[derive(Debug)]
pub struct Expected {
    pub text: String,
    pub details: Vec<String>,
}

impl Case {
    pub fn read(path: &Path) -> Case {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("a readable case");
        let mut reader = Reader {
            source: Arc::from(name.as_str()),
            date: String::new(),
            events: 0,
            commands: 0,
            case: Case {
                name,
                shows: Vec::new(),
                dedup_minutes: 10,
                account: "acme".to_owned(),
                steps: Vec::new(),
                totals: Vec::new(),
            },
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or("").trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(wrong) = reader.line(index + 1, line) {
                panic!("{}:{}: {wrong}: {line:?}", reader.case.name, index + 1);
            }
        }
        reader.case
    }
}

struct Reader {
    source: Arc<str>,
    date: String,
    events: u32,
    commands: u32,
    case: Case,
}

type Parsed<T> = Result<T, String>;

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Parsed<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "Scenario:" => {}
            "Shows:" => self.case.shows = rest.split(", ").map(str::to_owned).collect(),
            "Account:" => self.case.account = rest.to_owned(),
            "Dedup" => {
                let minutes = rest.strip_prefix("window: ").and_then(|rest| {
                    rest.strip_suffix(" minutes").and_then(|minutes| minutes.parse().ok())
                });
                self.case.dedup_minutes = minutes.ok_or("Dedup window: N minutes")?;
            }
            "total" => self.case.totals.push((number, line.to_owned())),
            "=>" => {
                let step = self.case.steps.last_mut().ok_or("no step to lead to it")?;
                step.expected.extend(expected(rest));
            }
            _ if word.len() == 10 => {
                Millis::parse(&format!("{word}T00:00:00Z")).map_err(|error| error.to_string())?;
                self.date = word.to_owned();
            }
            _ => self.step(number, word, rest)?,
        }
        Ok(())
    }

    fn step(&mut self, number: usize, clock: &str, rest: &str) -> Parsed<()> {
        let at = instant(&self.date, clock)?;
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let json = match verb {
            "bill" => self.bill(at, rest)?,
            "limit" => self.limit(at, rest)?,
            "remove" => self.remove(at, rest)?,
            "tick" => format!(r#"{{"type":"tick","now":"{at}"}}"#),
            "line" => rest.to_owned(),
            _ => return Err("bill, limit, remove, tick or line".to_owned()),
        };
        let json = json.into_bytes();
        let decoded = decode_line(&json).into_owned();
        let recorded_at = decoded.recorded_at.unwrap_or(at);
        let rejected = matches!(decoded.input, Input::Rejected(_));
        assert!(rejected || verb == "line" || recorded_at == at, "a step has its time");
        let position = Position { source: self.source.clone(), at: number as u64 };
        let line = Line { input: decoded.input, recorded_at, position };
        self.case.steps.push(Step { number, at, json, line, expected: Vec::new() });
        Ok(())
    }

    /// `sms 4.99 profile be3e country IT from +1 to +39 purpose otp requests 2 id e1 key k1 at …`
    fn bill(&mut self, at: Millis, rest: &str) -> Parsed<String> {
        let mut words = rest.split_whitespace();
        let feature = words.next().ok_or("a feature")?;
        let cost = words.next().ok_or("a cost")?;
        self.events += 1;
        let mut event_id = format!("e{}", self.events);
        let mut account = self.case.account.clone();
        let mut occurred_at = at;
        let mut fields = String::new();
        while let Some(name) = words.next() {
            let value = words.next().ok_or("a value behind each name")?;
            let field = match name {
                "profile" => "profile_id",
                "from" => "sender",
                "to" => "recipient",
                "key" => "idempotency_key",
                "country" | "purpose" => name,
                "requests" => {
                    write!(fields, r#","requests":{value}"#).expect("memory");
                    continue;
                }
                "id" => {
                    event_id = value.to_owned();
                    continue;
                }
                "account" => {
                    account = value.to_owned();
                    continue;
                }
                "at" if value.len() == 10 => {
                    occurred_at = instant(value, words.next().ok_or("a time of day")?)?;
                    continue;
                }
                "at" => {
                    occurred_at = instant(&self.date, value)?;
                    continue;
                }
                _ => return Err(format!("{name:?} is no part of a bill")),
            };
            write!(fields, r#","{field}":"{value}""#).expect("memory");
        }
        let head = format!(r#"{{"type":"billed","event_id":"{event_id}","account_id":"{account}""#);
        let charge = format!(r#""feature":"{feature}","cost":"{cost}"{fields}"#);
        let times = format!(r#""occurred_at":"{occurred_at}","recorded_at":"{at}"}}"#);
        Ok(format!("{head},{charge},{times}"))
    }

    /// `L1 on each recipient: 3 requests per PT5M, block, only purpose otp`
    fn limit(&mut self, at: Millis, rest: &str) -> Parsed<String> {
        let form = "limit ID on SCOPE: AMOUNT UNIT per WINDOW, option, option";
        let (head, tail) = rest.split_once(": ").ok_or(form)?;
        let (limit_id, scope) = head.split_once(" on ").ok_or(form)?;
        let scope = match scope.split_once(' ') {
            None => format!(r#"{{"kind":"{scope}"}}"#),
            Some(("each", kind)) => format!(r#"{{"kind":"{kind}","id":null}}"#),
            Some((kind, id)) => format!(r#"{{"kind":"{kind}","id":"{id}"}}"#),
        };
        let mut parts = tail.split(", ");
        let [amount, unit, "per", window] =
            parts.next().unwrap_or("").split(' ').collect::<Vec<&str>>()[..]
        else {
            return Err(form.to_owned());
        };
        let measure = if unit == "USD" { "cost" } else { unit };
        let mut account = self.case.account.clone();
        let mut options = String::new();
        for part in parts {
            match part.split_once(' ').unwrap_or((part, "")) {
                ("block" | "alert", "") => write!(options, r#","action":"{part}""#),
                ("off", "") => write!(options, r#","enabled":false"#),
                ("at", "no thresholds") => write!(options, r#","thresholds":[]"#),
                ("at", list) => {
                    let list = list.replace('%', "").replace(' ', ",");
                    write!(options, r#","thresholds":[{list}]"#)
                }
                ("only", which) => {
                    let (name, value) = which.split_once(' ').ok_or("only purpose otp")?;
                    write!(options, r#","only":{{"{name}":"{value}"}}"#)
                }
                ("account", id) => {
                    id.clone_into(&mut account);
                    Ok(())
                }
                _ => return Err(format!("{part:?} is no part of a limit")),
            }
            .expect("memory");
        }
        let head = self.command_head("limit_set", &account, at);
        let what = format!(r#""limit_id":"{limit_id}","scope":{scope},"measure":"{measure}""#);
        let bound = format!(r#""window":"{window}","amount":"{amount}"{options}"#);
        Ok(format!(r#"{head},"limit":{{{what},{bound}}}}}"#))
    }

    /// `L1`
    fn remove(&mut self, at: Millis, limit_id: &str) -> Parsed<String> {
        let account = self.case.account.clone();
        let head = self.command_head("limit_removed", &account, at);
        Ok(format!(r#"{head},"limit_id":"{limit_id}"}}"#))
    }

    fn command_head(&mut self, kind: &str, account: &str, at: Millis) -> String {
        self.commands += 1;
        let id = format!("c{}", self.commands);
        let head = format!(r#"{{"type":"{kind}","command_id":"{id}","account_id":"{account}""#);
        format!(r#"{head},"issued_at":"{at}","actor":"product-manager""#)
    }
}

/// `2024-08-20` and `12:00`, `12:00:01` or `12:00:01.500`, in UTC.
fn instant(date: &str, clock: &str) -> Parsed<Millis> {
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    Millis::parse(&format!("{date}T{clock}{seconds}Z")).map_err(|error| error.to_string())
}

/// `nothing` says in words that a step leads to no decision.
fn expected(text: &str) -> Option<Expected> {
    let (text, details) = match text.trim().strip_suffix(')').and_then(|text| text.split_once(" ("))
    {
        Some((text, details)) => (text, details.split(", ").map(str::to_owned).collect()),
        None => (text.trim(), Vec::new()),
    };
    (text != "nothing").then(|| Expected { text: text.to_owned(), details })
}
