//! Carries one delivery to its end. Promise: an attempt begins only while this process surely owns
//! the partition; whatever comes of it is recorded before anything else happens to the delivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Shared;
use super::backoff;
use super::channel::Outcome;
use super::delivery::{Attempt, Delivery, Ending, Target};
use super::endpoints::fingerprint;
use super::plan::profile_urls;
use super::record::{Ended, EndpointDisabled, Record};
use super::story;
use super::webhook::Occasion;
use crate::settings::{Account, PREFERENCES, PROFILE};
use crate::time::Millis;

/// How often a courier that may not go asks again: for the lease, or after a failed write.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The partition was given to another process.
#[derive(Debug)]
pub struct Parted;

pub struct Courier {
    pub shared: Arc<Shared>,
    pub partition: i32,
    pub parted: watch::Receiver<bool>,
}

/// What a round of attempts came to.
enum Step {
    Delivered,
    /// `retry_after` is the longest that was asked for.
    Failed {
        retry_after: Option<Duration>,
    },
    /// Nothing was tried; everything is paused until then.
    Paused(Millis),
    GivenUp(String),
}

impl Courier {
    /// Until it ended, or another process has the partition.
    pub async fn carry(mut self, mut delivery: Delivery) {
        // Parted, the next owner carries on from what is recorded.
        while let Ok(false) = self.advance(&mut delivery).await {}
    }

    /// One round; whether it has ended.
    async fn advance(&mut self, delivery: &mut Delivery) -> Result<bool, Parted> {
        self.wait_until(delivery.next_at).await?;
        // A record of the owner before, which was stopped with it on its way, may land late.
        if self.shared.has_ended(self.partition, delivery.id) {
            return Ok(true);
        }
        let step = self.round(delivery).await?;
        let now = self.now();
        match step {
            Step::Delivered => {
                self.end(delivery, Ending::Delivered).await?;
                let since = now.0.saturating_sub(delivery.notice.now.0).max(0);
                let latency = Duration::from_millis(since.unsigned_abs());
                self.shared.metrics.latency_seconds.observe(latency.as_secs_f64());
                Ok(true)
            }
            Step::Paused(until) if until.0 - delivery.notice.now.0 > self.age_ms_max() => {
                self.give_up(delivery, "its endpoint kept failing, and was paused too long").await
            }
            Step::Paused(until) => {
                delivery.next_at = until;
                Ok(false)
            }
            Step::GivenUp(why) => self.give_up(delivery, &why).await,
            Step::Failed { retry_after } => {
                delivery.rounds += 1;
                let retries = &self.shared.options.retries_ms;
                let (made, chance) = (delivery.rounds, rand::random_range(0..=1_000));
                match backoff::next_at(retries, made, retry_after, now, chance) {
                    Some(at) => {
                        delivery.next_at = at;
                        self.record(&Record::Delivery(Box::new(delivery.clone()))).await?;
                        Ok(false)
                    }
                    None => self.give_up(delivery, "every attempt failed").await,
                }
            }
        }
    }

    async fn round(&mut self, delivery: &mut Delivery) -> Result<Step, Parted> {
        let account = self.shared.known.settings().account(&delivery.notice.account_id);
        match delivery.target.clone() {
            Target::ProfileWebhook { profile_id } => {
                let urls = profile_urls(&account, &profile_id);
                let set_at = account.document(PROFILE, &profile_id).map(|it| it.updated_at);
                self.post(delivery, &account, &urls, set_at).await
            }
            Target::Webhook | Target::Slack => {
                let preferences = account.document(PREFERENCES, "");
                let member = delivery.target.channel();
                let url = preferences.and_then(|it| it.body.get(member)?.as_str());
                let urls: Vec<_> = url.into_iter().map(str::to_owned).collect();
                let set_at = preferences.map(|it| it.updated_at);
                self.post(delivery, &account, &urls, set_at).await
            }
            Target::Email { address } => {
                // One server takes all mails: it has its turns as any host.
                let shared = Arc::clone(&self.shared);
                let _turn = self.unless_parted(shared.endpoints.turn("mail")).await?;
                self.held().await?;
                let sent = shared.channels.mail(delivery, &account, &address, self.now());
                let outcome = sent.await;
                Ok(self.settle(delivery, &address, &outcome))
            }
            Target::Sms => {
                let record = self.shared.channels.sms(delivery, &account, self.now());
                self.held().await?;
                let shared = Arc::clone(&self.shared);
                let written =
                    shared.log.sms_request(self.partition, &delivery.notice.account_id, &record);
                let outcome = match written.await {
                    Ok(()) => Outcome::Delivered { answer: "requested".to_owned() },
                    Err(error) => Outcome::Failed { why: error.to_string(), retry_after: None },
                };
                Ok(self.settle(delivery, "sms", &outcome))
            }
        }
    }

    /// The URLs one after another, until one of them takes it over.
    async fn post(
        &mut self,
        delivery: &mut Delivery,
        account: &Account,
        urls: &[String],
        set_at: Option<Millis>,
    ) -> Result<Step, Parted> {
        let account_id = delivery.notice.account_id.clone();
        let (mut paused, mut disabled) = (None, 0);
        let mut step = None;
        for url in urls {
            let endpoint = fingerprint(&account_id, url);
            let gone_at = self.shared.disabled_at(self.partition, &endpoint);
            if gone_at.is_some_and(|gone_at| set_at.is_none_or(|set_at| gone_at >= set_at)) {
                disabled += 1;
                continue;
            }
            let (place, shared) = (place(url), Arc::clone(&self.shared));
            let mut until = shared.endpoints.paused_until(&endpoint, self.now());
            let mut _turn = None;
            if until.is_none() {
                _turn = Some(self.unless_parted(shared.endpoints.turn(&place)).await?);
                self.held().await?;
                // Others may have had it paused while this one waited for its turn.
                until = shared.endpoints.paused_until(&endpoint, self.now());
            }
            if let Some(until) = until {
                paused = Some(paused.map_or(until, |other: Millis| other.min(until)));
                continue;
            }
            let at = self.now();
            let outcome = match delivery.target {
                Target::Slack => shared.channels.slack(delivery, account, url).await,
                _ => shared.channels.webhook(delivery, Occasion::Decision, url, at).await,
            };
            let worked = matches!(outcome, Outcome::Delivered { .. });
            if worked {
                shared.endpoints.succeeded(&endpoint);
            } else {
                self.report_failure(&account_id, &endpoint, &place, &outcome).await?;
            }
            let next = self.settle(delivery, &place, &outcome);
            if worked {
                return Ok(next);
            }
            step = Some(merged(step, next));
        }
        Ok(match (step, paused) {
            (Some(step), _) => step,
            (None, Some(until)) => Step::Paused(until),
            (None, None) if disabled > 0 => {
                Step::GivenUp("the endpoint answered 410; set its URL again".to_owned())
            }
            (None, None) => Step::GivenUp("no address is set any more".to_owned()),
        })
    }

    /// Notes an attempt in the delivery's story.
    fn settle(&self, delivery: &mut Delivery, to: &str, outcome: &Outcome) -> Step {
        let channel = delivery.target.channel();
        let worked = matches!(outcome, Outcome::Delivered { .. });
        let outcome_word = if worked { "delivered" } else { "failed" };
        self.shared.metrics.attempt(channel, outcome_word);
        let (answer, step) = match outcome {
            Outcome::Delivered { answer } => (answer.clone(), Step::Delivered),
            Outcome::Failed { why, retry_after } => {
                (why.clone(), Step::Failed { retry_after: *retry_after })
            }
            Outcome::Refused { why } => (why.clone(), Step::GivenUp(why.clone())),
            Outcome::Gone => {
                let why = "410: it wants nothing any more".to_owned();
                (why.clone(), Step::GivenUp(why))
            }
        };
        delivery.attempts.push(Attempt { at: self.now(), to: to.to_owned(), answer });
        step
    }

    /// Tells that an endpoint is gone, or paused by this failure.
    async fn report_failure(
        &mut self,
        account_id: &str,
        endpoint: &str,
        place: &str,
        outcome: &Outcome,
    ) -> Result<(), Parted> {
        let now = self.now();
        let why = match outcome {
            Outcome::Gone => {
                tracing::warn!(account_id, place, "an endpoint answered 410 and is disabled");
                self.shared.metrics.endpoints_disabled.inc();
                let disabled = EndpointDisabled { endpoint: endpoint.to_owned(), at: now };
                self.record(&Record::EndpointDisabled(disabled)).await?;
                return self.tell(account_id, &story::disabled(account_id, place, now)).await;
            }
            Outcome::Failed { why, .. } | Outcome::Refused { why } => why,
            Outcome::Delivered { .. } => return Ok(()),
        };
        let Some(paused) = self.shared.endpoints.failed(endpoint, now) else { return Ok(()) };
        let (failures, until) = (paused.failures, paused.until);
        tracing::warn!(account_id, place, failures, %until, why, "an endpoint is paused");
        self.tell(account_id, &story::paused(account_id, place, paused, why, now)).await
    }

    async fn give_up(&mut self, delivery: &Delivery, why: &str) -> Result<bool, Parted> {
        let account_id = delivery.notice.account_id.as_str();
        let (id, channel) = (delivery.id, delivery.target.channel());
        tracing::warn!(account_id, %id, channel, why, "a notification is given up");
        self.tell(account_id, &story::undelivered(delivery, why, self.now())).await?;
        self.end(delivery, Ending::Undelivered).await?;
        Ok(true)
    }

    async fn end(&mut self, delivery: &Delivery, ending: Ending) -> Result<(), Parted> {
        let ended = Ended { id: delivery.id, ending, at: self.now() };
        self.record(&Record::Ended(ended)).await?;
        let word = if ending == Ending::Delivered { "delivered" } else { "undelivered" };
        self.shared.metrics.ended(delivery.target.channel(), word);
        Ok(())
    }

    /// Writes to the ledger, however often it takes.
    async fn record(&mut self, record: &Record) -> Result<(), Parted> {
        loop {
            self.held().await?;
            match self.shared.log.put(self.partition, record).await {
                Ok(()) => break self.shared.take(self.partition, record),
                Err(error) => self.write_failed(&error).await?,
            }
        }
        Ok(())
    }

    /// Writes to the topic of undelivered notifications, however often it takes.
    async fn tell(&mut self, account_id: &str, record: &[u8]) -> Result<(), Parted> {
        loop {
            self.held().await?;
            match self.shared.log.undelivered(self.partition, account_id, record).await {
                Ok(()) => return Ok(()),
                Err(error) => self.write_failed(&error).await?,
            }
        }
    }

    async fn write_failed(&mut self, error: &rdkafka::error::KafkaError) -> Result<(), Parted> {
        tracing::warn!(%error, partition = self.partition, "a record of notify was not written");
        self.unless_parted(tokio::time::sleep(ASK_AGAIN)).await
    }

    /// Waits until this process surely owns the partition.
    async fn held(&mut self) -> Result<(), Parted> {
        while !self.shared.lease.holds() {
            self.unless_parted(tokio::time::sleep(ASK_AGAIN)).await?;
        }
        if *self.parted.borrow() { Err(Parted) } else { Ok(()) }
    }

    async fn wait_until(&mut self, at: Millis) -> Result<(), Parted> {
        let wait = at.0.saturating_sub(self.now().0);
        if wait <= 0 {
            return Ok(());
        }
        self.unless_parted(tokio::time::sleep(Duration::from_millis(wait.unsigned_abs()))).await
    }

    async fn unless_parted<T>(&mut self, waited: impl Future<Output = T>) -> Result<T, Parted> {
        tokio::select! {
            biased;
            // An error: the crew is gone, and with it the partition.
            _ = self.parted.wait_for(|parted| *parted) => Err(Parted),
            done = waited => Ok(done),
        }
    }

    /// A decision's age beyond which a pause is not waited for: as if it had been told at the last
    /// moment, and every attempt had failed.
    fn age_ms_max(&self) -> i64 {
        let options = &self.shared.options;
        let retries = i64::try_from(options.retries_ms.iter().sum::<u64>()).unwrap_or(i64::MAX);
        options.rules.age_ms_max.saturating_add(retries)
    }

    fn now(&self) -> Millis {
        self.shared.clock.now()
    }
}

/// Of two URLs that both failed: one that may be tried again decides.
fn merged(first: Option<Step>, next: Step) -> Step {
    match (first, next) {
        (Some(Step::Failed { retry_after: a }), Step::Failed { retry_after: b }) => {
            Step::Failed { retry_after: a.max(b) }
        }
        (Some(first @ Step::Failed { .. }), _) => first,
        (_, next) => next,
    }
}

/// A URL up to its host and port: what follows may be secret.
pub fn place(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    let place = parsed.and_then(|url| {
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        Some(format!("{}://{}{port}", url.scheme(), url.host_str()?))
    });
    place.unwrap_or_else(|| "no URL".to_owned())
}
