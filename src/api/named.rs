//! What contracts have in common: the name in a path, members that may be null, and the bodies of
//! settings. Promise: a name that cannot be read is refused in the words of `Fault`.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::fault::{Fault, Kind};
use crate::engine::partition::Told;
use crate::fold::LimitSeen;

/// The one name in a path, decoded.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(rejection) => {
                let detail = format!("The name in the path cannot be read: {rejection}.");
                Err(Fault::new(Kind::Malformed, detail))
            }
        }
    }
}

/// For members where null means something else than nothing: `#[serde(default, deserialize_with)]`.
///
/// # Errors
/// The inner type's.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The members of a value that was written as an object.
#[must_use]
pub fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => unreachable!("written as an object"),
    }
}

/// A limit among those looked at.
#[must_use]
pub fn seen<'t>(told: &'t Told, limit_id: &str) -> Option<&'t LimitSeen> {
    told.seen.limits.iter().find(|limit| limit.spec.limit_id == limit_id)
}

/// The texts of a list member; none where there is no list.
#[must_use]
pub fn texts<'b>(body: &'b Map<String, Value>, member: &str) -> Vec<&'b str> {
    let list = body.get(member).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}
