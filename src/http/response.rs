//! Makes responses. Each response of the API has the CORS headers, and a failure has the form that its client can read.

mod template;

use js_sys::Uint8Array;
use serde::Serialize;
use web_sys::{ReadableStream, Request, Response, ResponseInit};
use worker::{Headers, ResponseBuilder, Result, WebSocket};

use self::template::Template;
use crate::http::channel_id::{self, ChannelIds};
use crate::http::cors::{self, Cors};
use crate::http::media_type::accepts_stream;
use crate::http::method::Method;
use crate::http::problem::Problem;
use crate::http::problem::document::{Document, is_temporary};
use crate::http::publish::several::{self, Outcome};
use crate::http::route::{ChannelEndpoint, Endpoint, Route};
use crate::http::url;
use crate::isolate::random::random_between;
use crate::settings::Settings;
use sse_hub::held::ERROR_RETRY_MS;
use sse_hub::sse::{self, EventId, MAX_CHANNELS};

/// How long a browser may keep the response to a preflight request, in seconds. Browsers limit it to 2 hours or less.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Tells browsers to use the `Content-Type`. Otherwise they may guess another type from the content, which comes from
/// publishers.
pub const NOSNIFF: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The response describes this failure.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The runtime failed. Only the log describes it.
    #[error(transparent)]
    Runtime(#[from] worker::Error),
}

/// The header of a response that repeats the receipt of an earlier publish.
pub const REPLAYED_HEADER: &str = "Idempotency-Replayed";

/// The value of `Retry-After` of a stream of which no channel could be opened, in seconds.
const RETRY_AFTER: &str = "5";

/// The header with the position of a feed, which only a Worker reads.
pub const POSITION_HEADER: &str = "Sse-Broadcaster-Position";

/// Makes the responses to one request.
#[derive(Clone, Debug)]
pub struct Responder {
    cors: Cors,
}

impl Responder {
    /// A responder for `request`. If the settings are wrong, `settings` is `None`, and pages of all origins may read
    /// the response, which says what is wrong.
    pub fn new(request: &Request, settings: Option<&Settings>) -> Self {
        let origin = || request.headers().get("Origin").ok().flatten();
        let cors = settings.map(|settings| Cors::new(&settings.allowed_origins, origin));
        Self {
            cors: cors.unwrap_or(Cors::Any),
        }
    }

    /// The origin whose pages may read the responses, if that depends on the request.
    pub fn allowed_origin(&self) -> Option<&str> {
        match &self.cors {
            Cors::Allowed(origin) => Some(origin),
            Cors::Any | Cors::Refused => None,
        }
    }

    /// The headers of every response: [`NOSNIFF`], and those that a page of another origin needs to read the response.
    fn headers(&self) -> Result<Headers> {
        let headers = Headers::new();
        headers.set(NOSNIFF.0, NOSNIFF.1)?;
        for (name, value) in self.cors.headers() {
            headers.set(name, value)?;
        }
        Ok(headers)
    }

    /// The status 200 with the headers of `template`.
    fn init(&self, template: Template) -> Result<ResponseInit> {
        template.init(&self.cors, || self.headers())
    }

    fn builder(&self, content_type: &str) -> Result<ResponseBuilder> {
        let headers = self.headers()?;
        headers.set("Content-Type", content_type)?;
        Ok(ResponseBuilder::new().with_headers(headers))
    }

    /// 200 with `text` as plain text.
    pub fn text(&self, text: &str) -> Result<Response> {
        let builder = self.builder("text/plain; charset=utf-8")?;
        Ok(builder.fixed(text.as_bytes().to_vec()).into())
    }

    /// 200 with `value` as JSON, on one line with a line end. No cache may store it.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<Response> {
        self.json_text(&serde_json::to_string(value)?)
    }

    /// Like [`json`](Self::json), for a large value. It is passed as bytes, because V8 counts their memory and collects
    /// them in time.
    pub fn json_bytes<T: Serialize>(&self, value: &T) -> Result<Response> {
        let mut json = serde_json::to_vec(value)?;
        json.push(b'\n');
        let bytes = Uint8Array::from(json.as_slice());
        let init = self.init(Template::Json)?;
        let response = Response::new_with_opt_js_u8_array_and_init(Some(&bytes), &init);
        Ok(response?)
    }

    /// Like [`json`](Self::json), for a text that is JSON.
    pub fn json_text(&self, text: &str) -> Result<Response> {
        let init = self.init(Template::Json)?;
        let line = line(text);
        Ok(Response::new_with_opt_str_and_init(Some(&line), &init)?)
    }

    /// Like [`json_text`](Self::json_text), for a publish that repeats an earlier one.
    pub fn replayed(&self, text: &str) -> Result<Response> {
        let response = self.json_text(text)?;
        response.headers().set(REPLAYED_HEADER, "true")?;
        Ok(response)
    }

    /// 204. A browser's `EventSource` does not reconnect after it.
    pub fn no_content(&self) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Cache-Control", "no-store")?;
        Ok(empty(204, headers))
    }

    /// 200 with the headers of a stream. The response to `HEAD` has no `body`.
    pub fn event_stream(&self, body: Option<&ReadableStream>) -> Result<Response> {
        let init = self.init(Template::EventStream)?;
        let response = Response::new_with_opt_readable_stream_and_init(body, &init);
        Ok(response?)
    }

    /// 101 for a Worker that has asked for a feed. The stream continues after `start`.
    pub fn feed(&self, socket: WebSocket, start: EventId) -> Result<Response> {
        let headers = Headers::new();
        headers.set(POSITION_HEADER, &start.to_string())?;
        let response = worker::Response::from_websocket(socket)?;
        Ok(response.with_headers(headers).into())
    }

    /// 204 for a Worker that has asked for a feed of a channel that has ended after `last`.
    pub fn ended_feed(&self, last: EventId) -> Result<Response> {
        let response = self.no_content()?;
        response.headers().set(POSITION_HEADER, &last.to_string())?;
        Ok(response)
    }

    /// 204 for `OPTIONS`, which may be a preflight request. The path takes the methods `allow`.
    pub fn preflight(&self, request: &Request, allow: &str) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Allow", allow)?;
        headers.append("Vary", cors::REQUESTED_HEADERS)?;
        if self.cors != Cors::Refused {
            let requested = request.headers().get(cors::REQUESTED_HEADERS)?;
            let allowed = cors::allowed_headers(requested.as_deref().unwrap_or_default());
            headers.set("Access-Control-Allow-Methods", allow)?;
            headers.set("Access-Control-Allow-Headers", &allowed)?;
            headers.set("Access-Control-Max-Age", PREFLIGHT_MAX_AGE)?;
        }
        Ok(empty(204, headers))
    }

    /// 302 to the path `location`, for a browser that navigates.
    pub fn redirect(&self, location: &str) -> Result<Response> {
        let headers = self.headers()?;
        headers.set("Location", location)?;
        headers.set("Cache-Control", "no-store")?;
        headers.append("Vary", "Sec-Fetch-Dest")?;
        Ok(empty(302, headers))
    }

    /// The status and the JSON of `problem`. If the request is to open the stream of the channel `stream` and the
    /// problem is temporary, 200 and a stream with the event `hub.error` instead: a browser's `EventSource` never
    /// reconnects after another status.
    pub fn problem(&self, problem: &Problem, stream: Option<&str>) -> Result<Response> {
        if let Some(channel) = stream.filter(|_| problem.is_temporary()) {
            let retry_ms = error_retry_ms();
            let stream = sse::error_stream(retry_ms, &problem.to_notice(channel));
            let init = self.init(Template::EventStream)?;
            return Ok(Response::new_with_opt_str_and_init(Some(&stream), &init)?);
        }
        let mut builder = self
            .builder("application/problem+json")?
            .with_status(problem.status())
            .with_header("Cache-Control", "no-store")?;
        if let Problem::MethodNotAllowed { allow, .. } = problem {
            builder = builder.with_header("Allow", allow)?;
        }
        if let Some(seconds) = problem.retry_after() {
            builder = builder.with_header("Retry-After", seconds)?;
        }
        if let Some(challenge) = problem.challenge() {
            builder = builder.with_header("WWW-Authenticate", challenge)?;
        }
        Ok(builder.fixed(line(&problem.to_json()).into_bytes()).into())
    }

    /// The answer to a publish to several channels.
    pub fn several(&self, answer: &several::Answer) -> Result<Response> {
        let (status, retry_after) = match &answer.outcome {
            Outcome::Published => return self.json_text(&answer.json),
            Outcome::Replayed => return self.replayed(&answer.json),
            Outcome::Failed {
                status,
                retry_after,
            } => (*status, retry_after),
        };
        self.document(status, retry_after.as_deref(), &answer.json)
    }

    /// The document `json`, which describes a problem. `retry_after` is the value of that header.
    fn document(&self, status: u16, retry_after: Option<&str>, json: &str) -> Result<Response> {
        let mut builder = self
            .builder("application/problem+json")?
            .with_status(status)
            .with_header("Cache-Control", "no-store")?;
        if let Some(seconds) = retry_after {
            builder = builder.with_header("Retry-After", seconds)?;
        }
        Ok(builder.fixed(line(json).into_bytes()).into())
    }

    /// The problems of a stream of which no channel could be opened. `is_stream` says that the client reads streams; as
    /// for [`problem`](Self::problem), it gets a stream if one of the problems is temporary.
    pub fn problems(&self, problems: &[Document], is_stream: bool) -> Result<Response> {
        let temporary = problems.iter().find(|it| is_temporary(it.status));
        if temporary.is_some() && is_stream {
            let notices = problems.iter().map(|it| sse::error_notice(&it.to_json()));
            let retry = sse::retry_field(error_retry_ms());
            let stream = retry + &notices.collect::<String>();
            let init = self.init(Template::EventStream)?;
            return Ok(Response::new_with_opt_str_and_init(Some(&stream), &init)?);
        }
        let Some(problem) = temporary.or(problems.first()) else {
            return self.problem(&Problem::Internal, None);
        };
        let retry_after = temporary.map(|_| RETRY_AFTER);
        self.document(problem.status, retry_after, &problem.to_json())
    }
}

/// `json` with one line end, so that a terminal shows its prompt on a line of its own.
fn line(json: &str) -> String {
    format!("{}\n", json.trim_end())
}

fn error_retry_ms() -> u32 {
    let (least, most) = ERROR_RETRY_MS;
    random_between(least, most)
}

fn empty(status: u16, headers: Headers) -> Response {
    let builder = ResponseBuilder::new().with_status(status);
    builder.with_headers(headers).empty().into()
}

/// Whether `response` has the receipt of an earlier publish.
pub fn is_replayed(response: &Response) -> bool {
    response.headers().has(REPLAYED_HEADER).unwrap_or_default()
}

/// Returns the channel whose stream `request` asks for, if it does and its client reads streams.
///
/// If it asks for several channels, returns their list as the client has written it.
pub fn wanted_stream(request: &Request) -> Option<String> {
    if request.method() != Method::Get.name() || !reads_streams(request) {
        return None;
    }
    match Route::of(url::path_of(&request.url())) {
        Route::Api { path, id } if path.endpoint(Method::Get) == Some(SUBSCRIBE) => {
            channel_id::parse_list(id?, MAX_CHANNELS)
                .ok()
                .map(ChannelIds::joined)
        }
        _ => None,
    }
}

/// Whether the client of `request` reads streams.
pub fn reads_streams(request: &Request) -> bool {
    let accept = request.headers().get("Accept").ok().flatten();
    accept.as_deref().is_some_and(accepts_stream)
}

const SUBSCRIBE: Endpoint = Endpoint::Channel(ChannelEndpoint::Subscribe);
