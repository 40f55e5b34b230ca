//! Placeholder.
use super::channel::Outcome;
use super::words::Words;
use crate::time::Millis;
pub struct Mailer;
impl Mailer {
    pub async fn send(&self, _: &str, _: &str, _: Millis, _: &Words) -> Outcome { Outcome::Gone }
}
