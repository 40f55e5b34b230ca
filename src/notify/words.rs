//! Placeholder.
use crate::wire::Notice;
pub struct About<'a> { pub limit_name: Option<&'a str>, pub profile_name: Option<&'a str> }
pub struct Words { pub subject: String, pub text: String, pub slack: String, pub sms: String }
pub fn words(_: &Notice, _: &About<'_>) -> Words { Words { subject: String::new(), text: String::new(), slack: String::new(), sms: String::new() } }
