//! `/v2/countries/limits/bulk`: limits of many countries from a file (K6). Promise: all rows take
//! effect or none; what is uploaded is bounded before and after it is unpacked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Executed;
use super::country::{Bound, Limited, Shown};
use super::limits::shown;
use super::notices::Notices;
use super::setup::Setup;
use super::table::{self, HEADINGS, Line, Refused, Wrong};
use crate::api::caller::Caller;
use crate::api::control::Control;
use crate::api::described::Problems;
use crate::api::extract::unread;
use crate::api::fault::{Fault, Kind};
use crate::sheet::{self, Format};

pub fn routes() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(Reads(Arc::new(Semaphore::new(READS_AT_ONCE_MAX)))))
        .routes(routes!(sample))
}

/// Of a file (K6: 1 MB).
const FILE_BYTES_MAX: usize = 1_048_576;
/// Of a request: a file in a form has parts around it.
pub const BODY_BYTES_MAX: usize = FILE_BYTES_MAX + 65_536;

/// Files read at once, the rest wait: each may hold some 50 MB while it is unpacked.
const READS_AT_ONCE_MAX: usize = 4;

/// Places for reading.
#[derive(Clone)]
struct Reads(Arc<Semaphore>);

/// How files of each kind begin.
const ZIP: &[u8] = b"PK\x03\x04";
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0";

/// A file as it came.
struct File {
    name: Option<String>,
    media: Option<String>,
    bytes: Bytes,
}

/// A form with the file in it.
#[derive(ToSchema)]
#[schema(as = CountryLimitsFile)]
#[allow(dead_code, reason = "it describes a form")]
struct Form {
    /// .csv, .xls or .xlsx, of at most 1,048,576 bytes, with the columns ISO Code, Daily Limit,
    /// Monthly Limit.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Why a file was refused, row by row.
#[derive(Serialize, ToSchema)]
#[schema(as = CountryLimitsRefused)]
struct RefusedRows {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    code: String,
    /// Rows that are wrong, at most 100; empty where it is the file as a whole.
    #[schema(required = false)]
    rows: Vec<Wrong>,
}

/// Set limits of many countries from a file
///
/// As a form with the file, or the file alone as the body. A listed country's limits are replaced
/// (those whom they tell stay the same), a country that is not listed is untouched. One wrong row
/// refuses the file, with a list of all that are wrong.
#[utoipa::path(
    post, path = "/v2/countries/limits/bulk", tag = "Countries",
    request_body(content(
        (Form = "multipart/form-data"),
        (String = "text/csv"),
        (Vec<u8> = "application/vnd.ms-excel"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses(
        (status = 200, body = Executed<Vec<Shown>>),
        (status = 415, description = "Not a .csv, .xls or .xlsx file",
         content_type = "application/problem+json"),
        Problems,
        (status = 422, body = RefusedRows, content_type = "application/problem+json"),
    ),
)]
async fn upload(
    State(control): State<Arc<Control>>,
    Extension(caller): Extension<Caller>,
    Extension(Reads(reads)): Extension<Reads>,
    request: Request,
) -> Result<Response, Fault> {
    let file = file(request).await?;
    if file.bytes.len() > FILE_BYTES_MAX {
        let detail = format!("The file exceeds {FILE_BYTES_MAX} bytes.");
        return Err(Fault::new(Kind::TooLarge, detail));
    }
    let format = file.format()?;
    let place = reads.acquire_owned().await.expect("it is never closed");
    // Unpacking takes a while, and what would panic there is a file that cannot be read.
    let read = tokio::task::spawn_blocking(move || {
        // Kept to the end of the reading, though the request may be given up before.
        let _place = place;
        lines(format, &file.bytes)
    });
    let unreadable = "It cannot be read; save it again, or as CSV.";
    let lines = match read.await.unwrap_or_else(|_| Err(Refused::File(unreadable.to_owned()))) {
        Ok(lines) => lines,
        Err(refused) => return Ok(told(refused)),
    };
    let _turn = control.turn(&caller.account_id).await;
    let account = control.settings(&caller.account_id);
    let setup = Setup::of(&account);
    let listed: Vec<Limited> =
        lines.iter().map(|line| replaced(line, &Limited::of(&account, line.country))).collect();
    let settings: Vec<_> =
        listed.iter().flat_map(|limited| limited.settings(&account, &setup)).collect();
    control.record(&caller, None, &settings).await?;
    let now = control.now();
    let answer = Executed {
        message: "Document Uploaded".to_owned(),
        data: shown(&control, &caller, &listed).await?,
        warnings: listed.iter().filter_map(|limited| limited.warnings(now)).collect(),
    };
    Ok(Json(answer).into_response())
}

/// A file to start from
#[utoipa::path(
    get, path = "/v2/countries/limits/sample.csv", tag = "Countries",
    responses((status = 200, body = String, content_type = "text/csv"), Problems),
)]
async fn sample() -> impl IntoResponse {
    let headings = HEADINGS.join(",");
    let text = format!("{headings}\r\nIT,1000,20000\r\nDE,500,\r\nFR,,15000\r\n");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"country-limits.csv\""),
    ];
    (headers, text)
}

/// The file of a request.
async fn file(request: Request) -> Result<File, Fault> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media = media.map(str::to_owned);
    if media.as_deref().is_none_or(|it| essence(it) != "multipart/form-data") {
        let bytes = Bytes::from_request(request, &()).await.map_err(unread)?;
        return Ok(File { name: None, media, bytes });
    }
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|rejection| {
        Fault::new(Kind::Malformed, format!("The form cannot be read: {rejection}."))
    })?;
    while let Some(field) = form.next_field().await.map_err(form_failed)? {
        let name = field.file_name().map(str::to_owned);
        if name.is_none() && field.name() != Some("file") {
            continue;
        }
        let media = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(form_failed)?;
        return Ok(File { name, media, bytes });
    }
    Err(Fault::invalid("file", "The form has no file; send it in a field named file."))
}

fn form_failed(error: MultipartError) -> Fault {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("The file exceeds {FILE_BYTES_MAX} bytes.");
        return Fault::new(Kind::TooLarge, detail);
    }
    Fault::new(Kind::Malformed, format!("The form cannot be read: {}.", error.body_text()))
}

/// `text/csv` of `text/csv; charset=utf-8`.
fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

impl File {
    /// By its name, else by its media type, else by how it begins.
    fn format(&self) -> Result<Format, Fault> {
        let begins = if self.bytes.starts_with(ZIP) {
            Some(Format::Xlsx)
        } else if self.bytes.starts_with(COMPOUND) {
            Some(Format::Xls)
        } else {
            None
        };
        let ending = self.name.as_deref().and_then(|name| name.rsplit_once('.'));
        let media = self.media.as_deref().map(essence).unwrap_or_default();
        let said = match (ending.map(|(_, ending)| ending.to_ascii_lowercase()), media.as_str()) {
            (Some(ending), _) => match ending.as_str() {
                "csv" => Some(Format::Csv),
                "xls" => Some(Format::Xls),
                "xlsx" => Some(Format::Xlsx),
                _ => None,
            },
            // Where spreadsheets are installed, browsers send CSV files by this name too.
            (None, "application/vnd.ms-excel") => begins.or(Some(Format::Csv)),
            (None, "text/csv") => Some(Format::Csv),
            (None, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") => {
                Some(Format::Xlsx)
            }
            (None, "" | "application/octet-stream") => begins,
            (None, _) => None,
        };
        said.ok_or_else(|| {
            Fault::new(
                Kind::MediaType,
                "Send a .csv, .xls or .xlsx file: in a form with its name, or as the body with \
                 its Content-Type, such as text/csv.",
            )
        })
    }
}

fn lines(format: Format, bytes: &[u8]) -> Result<Vec<Line>, Refused> {
    table::read(&sheet::rows(format, bytes)?)
}

/// The country as a row has it; whom a limit tells stays the same.
fn replaced(line: &Line, former: &Limited) -> Limited {
    let bound = |requests: Option<u64>, former: Option<&Bound>| {
        let notices = former.map_or_else(Notices::default, |bound| bound.notices.clone());
        requests.map(|requests| Bound { requests, notices })
    };
    Limited {
        country: line.country,
        daily: bound(line.daily, former.daily.as_ref()),
        monthly: bound(line.monthly, former.monthly.as_ref()),
    }
}

fn told(refused: Refused) -> Response {
    let (detail, rows) = match refused {
        Refused::File(why) => (format!("The file is refused. {why}"), Vec::new()),
        Refused::Rows(rows) => {
            let detail = "Rows of the file break rules, so none was taken; mend those listed.";
            (detail.to_owned(), rows)
        }
    };
    let status = Kind::Invalid.status();
    let body = RefusedRows {
        r#type: "about:blank".to_owned(),
        title: "The file is refused".to_owned(),
        status: status.as_u16(),
        detail,
        code: Kind::Invalid.code().to_owned(),
        rows,
    };
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
}
