//! Bodies and parameters of requests. Promise: what cannot be read is refused with the place of
//! the fault, in the words of `Fault`.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::fault::{Fault, Kind};

/// A JSON body: an object.
pub struct JsonBody<T>(pub T);

/// The parameters behind the path.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        read(&bytes).map(JsonBody)
    }
}

/// Reads a JSON body, which is an object: a list would else be taken for the members in their
/// order.
///
/// # Errors
/// 400 for what is no JSON, 422 for JSON of another shape.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        parse::<Vec<IgnoredAny>>(bytes)?;
        return Err(Fault::new(Kind::Invalid, "The body must be a JSON object, not a list."));
    }
    parse(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (kind, what) = match error.classify() {
            Category::Data => (Kind::Invalid, "The body is not of the expected shape"),
            Category::Syntax | Category::Eof | Category::Io => {
                (Kind::Malformed, "The body is not JSON")
            }
        };
        Fault::new(kind, format!("{what}: {error}."))
    })
}

/// Why a body did not arrive.
pub fn unread(rejection: BytesRejection) -> Fault {
    if rejection.status() == Kind::TooLarge.status() {
        Fault::new(Kind::TooLarge, "The body is larger than this server takes; send less at once.")
    } else {
        Fault::new(Kind::Malformed, format!("The body could not be read: {rejection}."))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => {
                Err(Fault::new(Kind::Invalid, format!("A parameter is wrong: {rejection}.")))
            }
        }
    }
}
