//! E-mail addresses in bodies: a list, or one text with commas between (K5). Promise: what passes
//! looks like an address and can begin no header of its own.

use serde::Deserialize;
use utoipa::ToSchema;

use super::fault::Fault;

/// Addresses in one place. They are recorded with the setting they belong to.
const ADDRESSES_MAX: usize = 20;
/// RFC 5321.
const ADDRESS_BYTES_MAX: usize = 254;

/// `"a@example.com, b@example.com"` or `["a@example.com", "b@example.com"]`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Emails {
    Joined(String),
    Listed(Vec<String>),
}

impl Emails {
    /// The addresses, each once.
    ///
    /// # Errors
    /// 422 about `place`.
    pub fn checked(&self, place: &str) -> Result<Vec<String>, Fault> {
        let listed = match self {
            Emails::Joined(joined) => joined.split(',').map(str::trim).collect::<Vec<_>>(),
            Emails::Listed(listed) => listed.iter().map(|email| email.trim()).collect(),
        };
        let mut emails: Vec<String> = Vec::new();
        for email in listed {
            if !is_email(email) {
                return Err(Fault::invalid(place, format!("{email:?} is no e-mail address.")));
            }
            if !emails.iter().any(|known| known == email) {
                emails.push(email.to_owned());
            }
        }
        if !(1..=ADDRESSES_MAX).contains(&emails.len()) {
            let detail = format!("{place} has 1 to {ADDRESSES_MAX} addresses.");
            return Err(Fault::invalid(place, detail));
        }
        Ok(emails)
    }
}

/// Whether mail could be sent there: `local@domain`, without quoting, blanks or control characters
/// (which would begin a header of their own).
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"(),:;<>@[\\]".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= ADDRESS_BYTES_MAX
        && !local.is_empty()
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_both_forms_and_each_once() {
        let joined = Emails::Joined("a@b.c, d@e.f,a@b.c".to_owned());
        let listed = Emails::Listed(vec![" a@b.c".to_owned(), "d@e.f".to_owned()]);
        for emails in [joined, listed] {
            assert_eq!(emails.checked("emails").expect("valid"), ["a@b.c", "d@e.f"]);
        }
    }

    #[test]
    fn what_is_no_address_and_too_many_are_refused() {
        for text in [
            "",
            "a",
            "a@b",
            "@b.c",
            "a@b.c,",
            "a@b.c\r\nBcc: d@e.f",
            "a@b..c",
            "a@-b.c",
            "a b@c.d",
            "\"a\"@b.c",
            "a@b@c.d",
            "<a@b.c>",
        ] {
            let refused = Emails::Joined(text.to_owned()).checked("emails");
            let place = refused.expect_err("no address").place;
            assert_eq!(place.as_deref(), Some("emails"), "{text:?}");
        }
        let emails: Vec<_> = (0..=ADDRESSES_MAX).map(|it| format!("{it}@b.c")).collect();
        assert!(Emails::Listed(emails[1..].to_vec()).checked("emails").is_ok());
        assert!(Emails::Listed(emails).checked("emails").is_err());
        assert!(Emails::Listed(Vec::new()).checked("emails").is_err());
    }
}
