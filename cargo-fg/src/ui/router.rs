//! Finds the response to a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::commands::{self, CommandPath};
use super::event_stream::{EventStream, query_value, start_after};
use super::response::{self, PageResponse};
use super::server::Shared;
use super::{access, assets, export};

/// The paths under which everything is for programs.
const API: &str = "/api/";
/// How long an export waits for others.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a path leads to.
#[derive(Clone, Copy)]
enum Route {
    Index,
    Script,
    Style,
    Events,
    Detail(u64),
    Export,
    Command(CommandPath),
}

pub(super) async fn respond(request: Request<Incoming>, shared: &Shared) -> PageResponse {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let is_api = path.starts_with(API);
    if let Err(reason) = access::check(&head.method, &head.uri, &head.headers, shared.port) {
        return response::error(StatusCode::FORBIDDEN, is_api, &reason);
    }
    let Some(route) = Route::find(path) else {
        let message = "there is nothing at this path; the page is at /";
        return response::error(StatusCode::NOT_FOUND, is_api, message);
    };
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    match route {
        Route::Command(path) if head.method == Method::POST => {
            commands::respond(path, body, shared).await
        }
        Route::Command(_) => response::method_not_allowed(is_api, "POST"),
        _ if !is_read => response::method_not_allowed(is_api, "GET, HEAD"),
        Route::Index => response::full(response::HTML, assets::INDEX),
        Route::Script => response::full(response::SCRIPT, assets::SCRIPT),
        Route::Style => response::full(response::STYLE, assets::STYLE),
        Route::Events => events(&head.headers, head.uri.query(), shared),
        Route::Detail(id) => detail(id, head.uri.query(), shared),
        Route::Export => export(shared).await,
    }
}

impl Route {
    fn find(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Index,
            "/app.js" => Self::Script,
            "/style.css" => Self::Style,
            "/api/events" => Self::Events,
            "/api/export" => Self::Export,
            _ => {
                let path = path.strip_prefix(API)?;
                match path.strip_prefix("detail/") {
                    Some(id) => Self::Detail(id.parse().ok()?),
                    None => Self::Command(CommandPath::find(path)?),
                }
            }
        })
    }
}

fn events(headers: &HeaderMap, query: Option<&str>, shared: &Shared) -> PageResponse {
    let Ok(permit) = Semaphore::try_acquire_owned(Arc::clone(&shared.event_streams)) else {
        let message = "too many pages are open; close some of them";
        return response::error(StatusCode::SERVICE_UNAVAILABLE, true, message);
    };
    let last_event_id = headers.get("last-event-id");
    // A value that is not text is not one of this server.
    let last_event_id = last_event_id.map(|value| value.to_str().unwrap_or_default());
    let after = start_after(shared.events.journal.session(), last_event_id, query);
    let stream = EventStream::new(shared.events.clone(), after, permit);
    response::ok(response::EVENT_STREAM, stream)
}

/// Returns the page as one file. Few of them are in memory at the same time, since they can be large.
async fn export(shared: &Shared) -> PageResponse {
    let permit = Arc::clone(&shared.exports).acquire_owned();
    let Ok(permit) = tokio::time::timeout(EXPORT_TIMEOUT, permit).await else {
        let message = "other exports are being sent; try again when they have finished";
        return response::error(StatusCode::SERVICE_UNAVAILABLE, true, message);
    };
    let journal = Arc::clone(&shared.events.journal);
    match spawn_blocking(move || export::html(&journal)).await {
        Ok(html) => {
            let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
            // Some file systems do not have colons in names.
            let file_name = format!("cargo-fg-{}.html", time.replace(':', "-"));
            let body = Full::from(html).map_frame(move |frame| {
                let _ = &permit;
                frame
            });
            response::download(&file_name, body)
        }
        Err(_) => {
            let message = "the page could not be exported; try again";
            response::error(StatusCode::INTERNAL_SERVER_ERROR, true, message)
        }
    }
}

fn detail(id: u64, query: Option<&str>, shared: &Shared) -> PageResponse {
    let journal = &shared.events.journal;
    if query_value(query, "session").is_some_and(|session| session != journal.session()) {
        // A page that does not know yet that the command was restarted.
        let message = format!("entry {id} is of another run");
        return response::error(StatusCode::NOT_FOUND, true, &message);
    }
    match journal.detail(id) {
        Some(detail) => response::json(StatusCode::OK, detail.to_string()),
        None => {
            let message =
                format!("entry {id} has no details, or they have been dropped to limit memory");
            response::error(StatusCode::NOT_FOUND, true, &message)
        }
    }
}
