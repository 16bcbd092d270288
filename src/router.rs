//! Which request goes where. Ids are checked here, before any object is created.

use percent_encoding::percent_decode_str;
use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response};

use crate::logging::Level;
use crate::problem::Problem;
use crate::response::{self, Failure};
use crate::settings::Settings;
use crate::{publish, sse};

/// The longest channel id, in characters.
pub const MAX_ID_CHARS: usize = 128;

/// The binding of the channels' objects in `wrangler.toml`.
const CHANNEL_BINDING: &str = "CHANNEL";

/// The binding of the files in `public/`.
const ASSETS_BINDING: &str = "ASSETS";

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";

/// What can be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GET /channels/{id}`
    Subscribe,
    /// `POST /channels/{id}/broadcast`
    Broadcast,
    /// `GET /channels/{id}/stats`
    Stats,
}

impl Action {
    /// The methods that its path takes.
    fn allow(self) -> &'static str {
        match self {
            Self::Subscribe | Self::Stats => GET,
            Self::Broadcast => POST,
        }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// An action of a channel, with its id as it stands in the path.
    Channel(&'a str, Action),
    /// `GET /healthz`
    Health,
    /// Perhaps a file.
    File,
}

/// What `path`, still percent-encoded, names. An id that is empty names nothing.
pub fn route(path: &str) -> Route<'_> {
    let mut segments = path.split('/');
    let segments: [Option<&str>; 5] = std::array::from_fn(|_| segments.next());
    let (id, action) = match segments {
        [Some(""), Some("healthz"), None, ..] => return Route::Health,
        [Some(""), Some("channels"), Some(id), None, ..] => (id, Action::Subscribe),
        [
            Some(""),
            Some("channels"),
            Some(id),
            Some("broadcast"),
            None,
        ] => (id, Action::Broadcast),
        [Some(""), Some("channels"), Some(id), Some("stats"), None] => (id, Action::Stats),
        _ => return Route::File,
    };
    if id.is_empty() {
        return Route::File;
    }
    Route::Channel(id, action)
}

/// The channel id that a path segment spells.
pub fn channel_id(segment: &str) -> Result<String, Problem> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~:@-".contains(byte);
    let id: Vec<u8> = percent_decode_str(segment).collect();
    if !(1..=MAX_ID_CHARS).contains(&id.len()) || !id.iter().all(allowed) {
        return Err(Problem::InvalidChannelId);
    }
    String::from_utf8(id).map_err(|_| Problem::InvalidChannelId)
}

/// Answers any request.
pub async fn answer(request: Request, env: &Env, settings: &Settings) -> Result<Response, Failure> {
    let path = request.path();
    // Not Request::method(), which takes every method that it does not know for GET.
    let method = request.inner().method();
    match route(&path) {
        Route::Channel(_, action) if method == "OPTIONS" => {
            Ok(response::preflight(action.allow())?)
        }
        Route::Channel(segment, action) => {
            check_method(&method, action.allow())?;
            let id = channel_id(segment)?;
            match action {
                Action::Subscribe => subscribe(request, &method, env, &id).await,
                Action::Broadcast => broadcast(&request, env, settings, &id).await,
                Action::Stats => Ok(call(env, &id, || {
                    Request::new(&request.inner().url(), Method::Get)
                })
                .await?),
            }
        }
        Route::Health if method == "OPTIONS" => Ok(response::preflight(GET)?),
        Route::Health => {
            check_method(&method, GET)?;
            Ok(response::text("ok")?)
        }
        Route::File => file(request, &method, env).await,
    }
}

fn check_method(method: &str, allow: &'static str) -> Result<(), Problem> {
    if allow.split(", ").any(|allowed| allowed == method) {
        return Ok(());
    }
    Err(Problem::MethodNotAllowed {
        method: method.to_owned(),
        allow,
    })
}

async fn subscribe(
    request: Request,
    method: &str,
    env: &Env,
    id: &str,
) -> Result<Response, Failure> {
    if method == "HEAD" {
        return Ok(response::event_stream()?.empty());
    }
    // Somebody opened the channel in the address bar.
    if request.headers().get("Sec-Fetch-Dest")?.as_deref() == Some("document") {
        return Ok(response::redirect(&format!("/?channel={id}"))?);
    }
    call(env, id, || request.clone()).await
}

async fn broadcast(
    request: &Request,
    env: &Env,
    settings: &Settings,
    id: &str,
) -> Result<Response, Failure> {
    let batch = publish::read(request, settings).await?;
    let url = request.inner().url();
    let answer = call(env, id, || {
        let headers = Headers::new();
        headers.set("Content-Type", sse::MEDIA_TYPE)?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_headers(headers)
            .with_body(Some(JsValue::from_str(&batch.wire)));
        Request::new_with_init(&url, &init)
    })
    .await?;
    if answer.status_code() == 200 && settings.log_level <= Level::Debug {
        for payload in batch.printable() {
            Level::Debug.log(settings.log_level, || format!("sent to {id}: {payload}"));
        }
    }
    Ok(answer)
}

/// Calls the channel's object, and once more with a fresh stub where that fails: the object may just have been
/// replaced. An object that has too much to do already is not asked twice.
async fn call(
    env: &Env,
    id: &str,
    request: impl Fn() -> worker::Result<Request>,
) -> Result<Response, Failure> {
    let namespace = env.durable_object(CHANNEL_BINDING)?;
    for attempt in [1, 2] {
        let stub = namespace.get_by_name(id)?;
        match stub.fetch_with_request(request()?).await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                Level::Warn.log(Level::Warn, || {
                    format!("channel failed: id={id} attempt={attempt} error={error}")
                });
                if is_overloaded(&error) {
                    break;
                }
            }
        }
    }
    Err(Problem::ChannelUnavailable.into())
}

/// Whether the runtime marked an error as the object being overloaded.
fn is_overloaded(error: &worker::Error) -> bool {
    let worker::Error::UnknownJsError { original, .. } = error else {
        return false;
    };
    js_sys::Reflect::get(original, &JsValue::from_str("overloaded"))
        .is_ok_and(|flag| flag.is_truthy())
}

/// A file of the console, or nothing.
async fn file(request: Request, method: &str, env: &Env) -> Result<Response, Failure> {
    let assets = env.assets(ASSETS_BINDING)?;
    if matches!(method, "GET" | "HEAD") {
        let answer: Response = assets.fetch_request(request).await?;
        return if answer.status_code() == 404 {
            Err(Problem::NotFound.into())
        } else {
            Ok(answer)
        };
    }
    let probe = Request::new(&request.inner().url(), Method::Head)?;
    let answer: Response = assets.fetch_request(probe).await?;
    if answer.status_code() == 404 {
        return Err(Problem::NotFound.into());
    }
    if method == "OPTIONS" {
        return Ok(response::preflight(GET)?);
    }
    check_method(method, GET)?;
    Err(Problem::Internal.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_routed() {
        use Action::*;
        assert_eq!(route("/channels/foo"), Route::Channel("foo", Subscribe));
        assert_eq!(
            route("/channels/foo/broadcast"),
            Route::Channel("foo", Broadcast)
        );
        assert_eq!(
            route("/channels/a%2Fb/stats"),
            Route::Channel("a%2Fb", Stats)
        );
        assert_eq!(route("/healthz"), Route::Health);
        for path in [
            "/",
            "/index.html",
            "/channels",
            "/channels/",
            "/channels//broadcast",
            "/channels/foo/",
            "/channels/foo/other",
            "/channels/foo/stats/more",
            "//channels/foo",
            "/healthz/",
        ] {
            assert_eq!(route(path), Route::File, "{path}");
        }
    }

    #[test]
    fn ids_are_checked_after_decoding() {
        assert_eq!(channel_id("a.B_c~1:2@x-y").as_deref(), Ok("a.B_c~1:2@x-y"));
        assert_eq!(channel_id("%66oo").as_deref(), Ok("foo"));
        assert_eq!(
            channel_id(&"x".repeat(128)).as_deref(),
            Ok("x".repeat(128).as_str())
        );
        let too_long = "x".repeat(129);
        for bad in [
            "", "%2F", "%00", "a b", "%20", "%zz", "%", "é", "%C3%A9", "a+b", "a*", &too_long,
        ] {
            assert_eq!(channel_id(bad), Err(Problem::InvalidChannelId), "{bad}");
        }
    }

    #[test]
    fn methods_are_checked() {
        assert_eq!(check_method("GET", GET), Ok(()));
        assert_eq!(check_method("HEAD", GET), Ok(()));
        assert!(check_method("GET", POST).is_err());
        assert!(check_method("get", GET).is_err());
        assert!(check_method("PROPFIND", GET).is_err());
    }
}
