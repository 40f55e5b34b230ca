//! The fields of a messaging profile: which are known, what they may hold, and what they are when
//! nobody set them. Promise: one table says it for reading, for answers and for the description;
//! a field that is not in it is kept as it came (T10).

use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};

use crate::api::fault::{Fault, Kind};
use crate::api::url;

/// Bytes of a profile's fields as JSON. The audit keeps each change, before and after.
const PROFILE_BYTES_MAX: usize = 16_384;
/// How deep values may be nested: far below what readers of JSON give up at.
const DEPTH_MAX: usize = 16;
/// Code points of a name and other short texts.
const TEXT_MAX: usize = 255;
/// Countries of a profile: there are some 250.
const DESTINATIONS_MAX: usize = 300;

/// What the server alone says; ignored in a request, so that an answer can be sent back.
pub const READ_ONLY: [&str; 4] = ["id", "record_type", "created_at", "updated_at"];

/// A field that is kept in the profile's document.
pub struct Field {
    pub name: &'static str,
    form: Form,
    /// What an answer has when nobody set it.
    default: fn() -> Value,
    /// For the description.
    says: &'static str,
}

/// What a field may hold, null aside, which clears it.
#[derive(Clone, Copy)]
enum Form {
    Text,
    /// http or https; empty is null.
    Url,
    Flag,
    Object,
    /// Of ISO 3166-1 alpha-2 codes, or `*`.
    Destinations,
    WebhookVersion,
}

fn null() -> Value {
    Value::Null
}

fn off() -> Value {
    false.into()
}

const FIELDS: [Field; 17] = [
    Field { name: "name", form: Form::Text, default: null, says: "A name for people." },
    Field {
        name: "enabled",
        form: Form::Flag,
        default: || true.into(),
        says: "Whether the profile is enabled. Kept, and not enforced here.",
    },
    Field {
        name: "whitelisted_destinations",
        form: Form::Destinations,
        default: || json!(["*"]),
        says: "ISO 3166-1 alpha-2 codes of countries that may be sent to; `*` is all. Kept, and \
               not enforced here.",
    },
    Field {
        name: "webhook_url",
        form: Form::Url,
        default: null,
        says: "Where webhooks of this profile go (T4).",
    },
    Field {
        name: "webhook_failover_url",
        form: Form::Url,
        default: null,
        says: "Where they go when `webhook_url` fails.",
    },
    Field {
        name: "webhook_api_version",
        form: Form::WebhookVersion,
        default: || "2".into(),
        says: "Kept. Webhooks are always of version 2.",
    },
    Field { name: "health_webhook_url", form: Form::Url, default: null, says: "Kept." },
    Field { name: "alpha_sender", form: Form::Text, default: null, says: "Kept." },
    Field { name: "ai_assistant_id", form: Form::Text, default: null, says: "Kept." },
    Field { name: "resource_group_id", form: Form::Text, default: null, says: "Kept." },
    Field { name: "features", form: Form::Object, default: null, says: "Kept." },
    Field { name: "number_pool_settings", form: Form::Object, default: null, says: "Kept." },
    Field { name: "url_shortener_settings", form: Form::Object, default: null, says: "Kept." },
    Field { name: "mms_fall_back_to_sms", form: Form::Flag, default: off, says: "Kept." },
    Field { name: "mms_transcoding", form: Form::Flag, default: off, says: "Kept." },
    Field { name: "mobile_only", form: Form::Flag, default: off, says: "Kept." },
    Field { name: "smart_encoding", form: Form::Flag, default: off, says: "Kept." },
];

/// What nobody set.
#[must_use]
pub fn defaults() -> Map<String, Value> {
    FIELDS.iter().map(|field| (field.name.to_owned(), (field.default)())).collect()
}

/// Checks the fields of a request; null passes.
///
/// # Errors
/// 422 with the field's name.
pub fn check(fields: &Map<String, Value>) -> Result<(), Fault> {
    for (name, value) in fields {
        if deeper_than(DEPTH_MAX, value) {
            let detail = format!("{name} is nested deeper than {DEPTH_MAX} levels; flatten it.");
            return Err(Fault::invalid(name, detail));
        }
        let known = FIELDS.iter().find(|field| field.name == name);
        if let Some(field) = known.filter(|field| !value.is_null() && !field.form.takes(value)) {
            return Err(Fault::invalid(name, format!("{name} must be {}.", field.form.wanted())));
        }
    }
    Ok(())
}

/// `former` with what a request changes. null clears, an empty URL is null, and what is as it would
/// be anyway is not kept: an answer that is sent back changes nothing.
///
/// # Errors
/// 413 when all of it together is too large.
pub fn merged(
    former: Option<&Map<String, Value>>,
    changes: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let mut fields = former.cloned().unwrap_or_default();
    for (name, value) in changes {
        let known = FIELDS.iter().find(|field| field.name == name);
        let empty_url =
            known.is_some_and(|it| matches!(it.form, Form::Url)) && value.as_str() == Some("");
        let default = known.map(|field| (field.default)());
        if value.is_null() || empty_url || default.as_ref() == Some(value) {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    if serde_json::to_vec(&fields).map_or(usize::MAX, |bytes| bytes.len()) > PROFILE_BYTES_MAX {
        let detail = format!(
            "The profile's fields exceed {PROFILE_BYTES_MAX} bytes; clear some with null, or send \
             less."
        );
        return Err(Fault::new(Kind::TooLarge, detail));
    }
    Ok(fields)
}

fn deeper_than(levels: usize, value: &Value) -> bool {
    let Some(inner) = levels.checked_sub(1) else { return true };
    match value {
        Value::Array(values) => values.iter().any(|value| deeper_than(inner, value)),
        Value::Object(members) => members.values().any(|value| deeper_than(inner, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

const WEBHOOK_VERSIONS: [&str; 3] = ["1", "2", "2010-04-01"];

impl Form {
    fn takes(self, value: &Value) -> bool {
        match self {
            Form::Text => value.as_str().is_some_and(|text| text.chars().count() <= TEXT_MAX),
            Form::Url => {
                value.as_str().is_some_and(|text| text.is_empty() || url::parse(text).is_some())
            }
            Form::Flag => value.is_boolean(),
            Form::Object => value.is_object(),
            Form::Destinations => value
                .as_array()
                .is_some_and(|all| all.len() <= DESTINATIONS_MAX && all.iter().all(is_destination)),
            Form::WebhookVersion => {
                value.as_str().is_some_and(|text| WEBHOOK_VERSIONS.contains(&text))
            }
        }
    }

    /// As it stands behind "must be".
    fn wanted(self) -> String {
        match self {
            Form::Text => format!("a text of at most {TEXT_MAX} characters, or null"),
            Form::Url => format!(
                "an http or https URL with a host, of at most {} printable ASCII \
                 characters, or null to clear it",
                url::BYTES_MAX
            ),
            Form::Flag => "true or false, or null for the default".to_owned(),
            Form::Object => "an object, or null".to_owned(),
            Form::Destinations => format!(
                "a list of at most {DESTINATIONS_MAX} two-letter country codes, or [\"*\"] for all"
            ),
            Form::WebhookVersion => "\"1\", \"2\" or \"2010-04-01\"".to_owned(),
        }
    }

    fn schema(self, of: Body) -> ObjectBuilder {
        let text = || nullable(Type::String);
        match self {
            Form::Text => text().max_length(Some(TEXT_MAX)),
            Form::Url => match of {
                Body::Request => text().max_length(Some(url::BYTES_MAX)).pattern(Some(URL_PATTERN)),
                Body::Answer => text(),
            },
            Form::Flag => nullable(Type::Boolean),
            Form::Object => {
                let free = AdditionalProperties::FreeForm(true);
                nullable(Type::Object).additional_properties(Some(free))
            }
            Form::Destinations => unreachable!("a list, which `described` makes"),
            Form::WebhookVersion => {
                let versions = WEBHOOK_VERSIONS.map(Value::from);
                text().enum_values(Some(versions.into_iter().chain([Value::Null])))
            }
        }
    }
}

/// A host by name or IPv4 address, and what may follow it. Other hosts that URLs have are taken,
/// too: this is what surely is.
const URL_PATTERN: &str = "^(https?://(([0-9A-Za-z-]+\\.)*[A-Za-z][0-9A-Za-z-]*|\
                           ((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}\
                           (25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))\
                           (:[0-9]{1,4})?([/?#][!-~]*)?)?$";

fn is_destination(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text == "*" || (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()))
    })
}

fn nullable(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}

/// Every digit counts, none is rounded: above 0, below 10^12, at most six decimals (T1).
const AMOUNT_PATTERN: &str = "^0*([1-9][0-9]{0,11}(\\.[0-9]{1,6})?|0\\.([1-9][0-9]{0,5}|\
                              0[1-9][0-9]{0,4}|00[1-9][0-9]{0,3}|000[1-9][0-9]{0,2}|\
                              0000[1-9][0-9]?|00000[1-9]))$";

/// Whose body is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Request,
    Answer,
}

/// An object with all fields that are known; others are welcome.
pub fn described(of: Body) -> ObjectBuilder {
    let mut object = ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::FreeForm(true)));
    for field in &FIELDS {
        let property: RefOr<Schema> = match field.form {
            Form::Destinations => ArrayBuilder::new()
                .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
                .items(
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .pattern(Some("^([A-Za-z]{2}|\\*)$")),
                )
                .max_items(Some(DESTINATIONS_MAX))
                .description(Some(field.says))
                .into(),
            form => form.schema(of).description(Some(field.says)).into(),
        };
        object = object.property(field.name, property);
    }
    let amount = nullable(Type::String).pattern(Some(AMOUNT_PATTERN)).description(Some(
        "USD that the profile may spend a UTC day: a plain decimal above 0 and below 10^12 with at \
         most six decimals, as a string. null removes the limit.",
    ));
    let flag = nullable(Type::Boolean).description(Some(
        "Whether the limit is enforced; needs a `daily_spend_limit`. Spend counts either way.",
    ));
    object.property("daily_spend_limit", amount).property("daily_spend_limit_enabled", flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn known_fields_are_checked_and_unknown_ones_pass() {
        for (field, value, passes) in [
            ("name", json!("n".repeat(255)), true),
            ("name", json!("n".repeat(256)), false),
            ("name", json!(7), false),
            ("name", json!(null), true),
            ("enabled", json!("true"), false),
            ("webhook_url", json!("https://example.com/hook?x=1"), true),
            ("webhook_url", json!("http://[::1]:8080"), true),
            ("webhook_url", json!(""), true),
            ("webhook_url", json!("example.com"), false),
            ("webhook_url", json!("ftp://example.com"), false),
            ("webhook_url", json!("https://"), false),
            ("webhook_url", json!("https://example.com/\n"), false),
            ("webhook_url", json!("https://example.com/a b"), false),
            ("webhook_url", json!("https://exämple.com/"), false),
            ("webhook_url", json!(format!("https://example.com/{}", "x".repeat(2_048))), false),
            ("webhook_failover_url", json!(["https://example.com"]), false),
            ("webhook_api_version", json!("2010-04-01"), true),
            ("webhook_api_version", json!("3"), false),
            ("webhook_api_version", json!(2), false),
            ("whitelisted_destinations", json!(["US", "it", "*"]), true),
            ("whitelisted_destinations", json!([]), true),
            ("whitelisted_destinations", json!(["USA"]), false),
            ("whitelisted_destinations", json!("US"), false),
            ("number_pool_settings", json!({"long_code_weight": 1.5}), true),
            ("number_pool_settings", json!([]), false),
            ("colour", json!({"any": ["thing", 1]}), true),
        ] {
            let fields = object(json!({field: value}));
            let checked = check(&fields);
            assert_eq!(checked.is_ok(), passes, "{fields:?}: {checked:?}");
            if let Err(fault) = checked {
                assert_eq!((fault.kind, fault.place.as_deref()), (Kind::Invalid, Some(field)));
            }
        }
    }

    #[test]
    fn what_no_reader_of_settings_could_read_is_refused() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
        assert_eq!(check(&object(json!({"x": nested(15)}))), Ok(()));
        assert!(check(&object(json!({"x": nested(16)}))).is_err());
        let large = object(json!({"x": "y".repeat(PROFILE_BYTES_MAX)}));
        assert_eq!(merged(None, &large).expect_err("too large").kind, Kind::TooLarge);
    }

    #[test]
    fn the_defaults_are_taken_and_need_not_be_kept() {
        assert_eq!(check(&defaults()), Ok(()));
        assert_eq!(merged(None, &defaults()), Ok(Map::new()));
        let former = object(json!({"enabled": false}));
        let changes = object(json!({"enabled": true}));
        assert_eq!(merged(Some(&former), &changes), Ok(Map::new()));
    }

    #[test]
    fn null_clears_and_what_is_not_named_stays() {
        let former = object(json!({"name": "a", "colour": 1, "webhook_url": "https://a.example"}));
        let changes = object(json!({"colour": null, "webhook_url": "", "name": "b", "new": false}));
        let after = merged(Some(&former), &changes).expect("it fits");
        assert_eq!(Value::Object(after), json!({"name": "b", "new": false}));
        let same = merged(Some(&former), &Map::new()).expect("it fits");
        assert_eq!(same, former);
    }
}
