//! The four ways to tell somebody. Promise: one call is one attempt; what is sent follows from the
//! delivery and the settings, and nothing secret is in what comes back.

use super::channel::Outcome;
use super::delivery::Delivery;
use super::http::{Failure, Http};
use super::mail::Mailer;
use super::plan::texts;
use super::signing::WatchedKeyring;
use super::webhook::Occasion;
use super::words::{About, Words};
use super::{slack, sms, webhook};
use crate::settings::{Account, PREFERENCES};
use crate::time::Millis;

pub struct Channels {
    pub http: Http,
    pub keyring: WatchedKeyring,
    /// Without one, mails cannot be sent.
    pub mailer: Option<Mailer>,
}

/// Code points of an answer that are kept in a delivery's story.
const ANSWER_MAX: usize = 200;

impl Channels {
    /// T4, T11: the body names the attempt and where it goes, and is signed.
    pub async fn webhook(
        &self,
        delivery: &Delivery,
        occasion: Occasion,
        url: &str,
        at: Millis,
    ) -> Outcome {
        let body = webhook::body(&delivery.notice, occasion, delivery.attempt(), url);
        let account_id = &delivery.notice.account_id;
        let mut headers =
            self.keyring.present().headers(account_id, &delivery.id.to_string(), at, &body);
        headers.push(("content-type", "application/json".to_owned()));
        match self.http.post(url, &headers, body).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                Outcome::Delivered { answer: answer.status.to_string() }
            }
            Ok(answer) if answer.status == 410 => Outcome::Gone,
            Ok(answer) => Outcome::Failed {
                why: said(answer.status, &answer.body),
                retry_after: answer.retry_after,
            },
            Err(failure) => failed(&failure),
        }
    }

    pub async fn slack(&self, delivery: &Delivery, account: &Account, url: &str) -> Outcome {
        let headers = [("content-type", "application/json".to_owned())];
        let body = slack::body(&words_of(delivery, account));
        match self.http.post(url, &headers, body).await {
            Ok(answer) => slack::outcome(answer.status, &answer.body, answer.retry_after),
            Err(failure) => failed(&failure),
        }
    }

    pub async fn mail(
        &self,
        delivery: &Delivery,
        account: &Account,
        address: &str,
        at: Millis,
    ) -> Outcome {
        let Some(mailer) = &self.mailer else {
            return Outcome::Refused {
                why: "no mail server is configured: set notify.smtp_url".to_owned(),
            };
        };
        let words = words_of(delivery, account);
        mailer.send(address, &delivery.id.to_string(), at, &words).await
    }

    /// The record that asks the carrier for a short message.
    #[must_use]
    pub fn sms(&self, delivery: &Delivery, account: &Account, at: Millis) -> Vec<u8> {
        let notice = &delivery.notice;
        let preferences = account.document(PREFERENCES, "");
        let numbers = texts(preferences.and_then(|it| it.body.get("phone_numbers")));
        sms::record(&sms::Request {
            id: delivery.id,
            account_id: &notice.account_id,
            to: &numbers,
            text: &words_of(delivery, account).sms,
            limit_id: &notice.limit_id,
            decision_id: notice.id,
            requested_at: at,
        })
    }
}

fn words_of(delivery: &Delivery, account: &Account) -> Words {
    Words::of(&delivery.notice, &About::of(&delivery.notice, account))
}

fn said(status: u16, body: &str) -> String {
    let body: String = body.trim().chars().take(ANSWER_MAX).collect();
    if body.is_empty() { status.to_string() } else { format!("{status}: {body}") }
}

/// An address that is not allowed may be mended in the settings, or in DNS, until the last attempt.
fn failed(failure: &Failure) -> Outcome {
    Outcome::Failed { why: failure.to_string(), retry_after: None }
}
