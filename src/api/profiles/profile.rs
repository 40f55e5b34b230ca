//! A profile as the vendor's clients know it. Promise: an answer has every known field, set or
//! not, and every unknown one that was given.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::fields::{self, Body};
use super::spend_limit::{self, SpendLimit};
use crate::settings::{Account, PROFILE};
use crate::time::Millis;

/// A messaging profile.
#[derive(Clone, Debug)]
pub struct Profile {
    id: String,
    fields: Map<String, Value>,
    limit: Option<SpendLimit>,
    /// `None` for one that was only billed.
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
}

impl Profile {
    /// As the account's settings have it; the defaults for one without settings.
    #[must_use]
    pub fn of(account: &Account, profile_id: &str) -> Profile {
        let document = account.document(PROFILE, profile_id);
        let limit = spend_limit::set_in(account, profile_id);
        let touched = [document.map(|it| it.updated_at), limit.map(|it| it.updated_at)];
        Profile {
            id: profile_id.to_owned(),
            fields: document.map(|document| document.body.clone()).unwrap_or_default(),
            limit: limit.and_then(|limit| SpendLimit::of(&limit.spec, profile_id)),
            created_at: document.map(|document| document.created_at),
            updated_at: touched.into_iter().flatten().max(),
        }
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.fields.get("name").and_then(Value::as_str)
    }

    /// Created ones first, as they were created.
    #[must_use]
    pub fn order(&self) -> (bool, Option<Millis>, &str) {
        (self.created_at.is_none(), self.created_at, &self.id)
    }

    fn shown(&self) -> Map<String, Value> {
        let mut shown = fields::defaults();
        shown.extend(self.fields.clone());
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        put("record_type", "messaging_profile".into());
        put("id", self.id.as_str().into());
        put("daily_spend_limit", self.limit.map(|limit| limit.amount.to_string()).into());
        put("daily_spend_limit_enabled", self.limit.is_some_and(|limit| limit.enabled).into());
        put("created_at", self.created_at.map(|at| at.to_string()).into());
        put("updated_at", self.updated_at.map(|at| at.to_string()).into());
        shown
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

impl PartialSchema for Profile {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let time = || {
            ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
                .description(Some(
                    "null for a profile that was billed and never created or changed.",
                ))
        };
        let mut profile = fields::described(Body::Answer)
            .description(Some("A messaging profile, with every other field that was given."))
            .property("record_type", text().enum_values(Some(["messaging_profile"])))
            .property("id", text())
            .property("created_at", time())
            .property("updated_at", time());
        let always = ["record_type", "id", "daily_spend_limit", "daily_spend_limit_enabled"];
        for name in always.into_iter().chain(["name", "enabled", "created_at", "updated_at"]) {
            profile = profile.required(name);
        }
        profile.into()
    }
}

impl ToSchema for Profile {
    fn name() -> std::borrow::Cow<'static, str> {
        "MessagingProfile".into()
    }
}

/// The body that creates a profile, for the description.
pub struct NewMessagingProfile;

impl PartialSchema for NewMessagingProfile {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .description(Some("A name for people."));
        let off = ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .enum_values(Some([Value::Bool(false), Value::Null]));
        let amount = ObjectBuilder::new().schema_type(Type::String);
        // A limit that is enforced needs an amount (T1).
        let limit = AnyOfBuilder::new()
            .item(ObjectBuilder::new().property("daily_spend_limit_enabled", off))
            .item(
                ObjectBuilder::new()
                    .property("daily_spend_limit", amount)
                    .required("daily_spend_limit"),
            );
        let fields = fields::described(Body::Request).property("name", name).required("name");
        AllOfBuilder::new().item(fields).item(limit).into()
    }
}

impl ToSchema for NewMessagingProfile {}

/// The body that changes a profile, for the description: what it leaves out stays, null clears.
pub struct MessagingProfileChange;

impl PartialSchema for MessagingProfileChange {
    fn schema() -> RefOr<Schema> {
        fields::described(Body::Request).into()
    }
}

impl ToSchema for MessagingProfileChange {}
