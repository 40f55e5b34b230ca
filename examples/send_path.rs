//! A send loop with the gate inside: `cargo run --no-default-features --features gate --example
//! send_path -- localhost:9092 acme profile-1` asks before each of ten sends a second, and prints
//! what it would do. Needs a broker with Tollgate's topics; `tollgate demo` prints the address of
//! one, and in its `curl` a profile of the account `you` that is held until its limit is raised.

#![allow(clippy::print_stdout, reason = "the example talks to a terminal")]

use std::error::Error;
use std::sync::mpsc::channel;
use std::time::Duration;

use tollgate::gate::{Gate, Options, Send, Verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments.next().or_else(|| std::env::var("KAFKA_BOOTSTRAP").ok());
    let bootstrap = bootstrap.unwrap_or_else(|| "localhost:9092".to_owned());
    let account = arguments.next().unwrap_or_else(|| "acme".to_owned());
    let profile = arguments.next();

    // Waits until every block is known.
    let gate = Gate::connect(&Options::new(&bootstrap))?;
    println!("{} blocks are known", gate.blocks_held());

    let (_never, pause) = channel::<()>();
    for number in 0_u64.. {
        let recipient = format!("+39333{:07}", number % 10_000_000);
        let send = Send {
            account: &account,
            profile: profile.as_deref(),
            feature: "sms",
            country: Some("IT"),
            sender: Some("+15550001"),
            recipient: Some(&recipient),
            purpose: None,
        };
        match gate.check(&send) {
            Verdict::Allow => println!("send to {recipient}"),
            Verdict::Deny(denial) => {
                let limits: Vec<_> = denial.blocks.iter().map(|block| &*block.limit_id).collect();
                let again = match denial.retry_after_s() {
                    Some(wait_s) => format!("again in {wait_s} s"),
                    None => "until it is lifted".to_owned(),
                };
                println!("hold {recipient}: limits {limits:?}, {again}");
            }
        }
        let _ = pause.recv_timeout(Duration::from_millis(100));
    }
    Ok(())
}
