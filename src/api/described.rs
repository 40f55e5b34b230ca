//! How refusals stand in the OpenAPI description: one body for each product, with every status
//! that the layers in front of a contract can answer. Promise: what `fault` sends fits what is
//! described here.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder, Schema};

/// RFC 9457 bodies: every path that is no product's own.
pub struct Problems;

/// `{"success":false,"error":{"code","message"}}` (A1).
pub struct BillingErrors;

/// What a contract, or a layer in front of it, may answer with instead.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "The request cannot be read"),
    ("401", "No valid API key"),
    ("403", "The API key lacks the scope"),
    ("404", "There is no such thing"),
    ("413", "The body is too large"),
    ("422", "The request breaks a rule, which the answer names"),
    ("429", "This key sends too many requests"),
    ("503", "Not available at the moment; try again after Retry-After seconds"),
    ("504", "Recorded or not, but not seen in force in time; look before repeating"),
];

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals("application/problem+json", &problem().into())
    }
}

impl IntoResponses for BillingErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = ObjectBuilder::new()
            .property("code", text())
            .required("code")
            .property("message", text())
            .required("message");
        let success =
            ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([json!(false)]));
        let body = problem()
            .property("success", success)
            .required("success")
            .property("error", error)
            .required("error");
        refusals("application/json", &body.into())
    }
}

fn refusals(media: &str, body: &RefOr<Schema>) -> BTreeMap<String, RefOr<Response>> {
    let described = |what: &str| {
        let content = ContentBuilder::new().schema(Some(body.clone())).build();
        ResponseBuilder::new().description(what).content(media, content).build().into()
    };
    REFUSALS.iter().map(|(status, what)| ((*status).to_owned(), described(what))).collect()
}

/// The members that all refusals have.
fn problem() -> ObjectBuilder {
    let status = ObjectBuilder::new().schema_type(Type::Integer);
    ObjectBuilder::new()
        .property("type", text())
        .property("title", text())
        .required("title")
        .property("status", status)
        .required("status")
        .property("detail", text())
        .required("detail")
        .property("code", text())
        .required("code")
        .property("place", text())
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).format(None::<SchemaFormat>)
}
