//! `/v2/countries`: how many requests a country may get a day and a month (K1-K8). Promise: a
//! country's limits are limits like any other, blocking, and disabled while the account's toggle
//! is off; they count all the same.

mod country;
mod iso;
mod limits;
mod lint;
mod notices;
mod setup;
mod table;
mod upload;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::control::Control;

pub use upload::BODY_BYTES_MAX;

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new().merge(limits::routes()).merge(setup::routes()).merge(upload::routes())
}

/// The envelope of every answer.
#[derive(Serialize, ToSchema)]
#[schema(as = CountriesExecuted)]
struct Executed<T> {
    /// "Request successfully executed!", or "Document Uploaded".
    message: String,
    data: T,
    /// What the limits will lead to that is perhaps not meant (K7).
    warnings: Vec<lint::Warning>,
}

impl<T> Executed<T> {
    fn of(data: T) -> Executed<T> {
        Executed {
            message: "Request successfully executed!".to_owned(),
            data,
            warnings: Vec::new(),
        }
    }
}
