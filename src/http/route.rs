//! What a path names. Pure.

use percent_encoding::percent_decode_str;

/// The longest channel id, in characters.
pub const MAX_ID_CHARS: usize = 128;

/// The `Allow` of what is read.
const READ: &str = "GET, HEAD, OPTIONS";

/// The `Allow` of what can be deleted, too.
const READ_OR_DELETE: &str = "GET, HEAD, DELETE, OPTIONS";

/// The `Allow` of what is published to.
const PUBLISH: &str = "POST, OPTIONS";

/// All methods of this server.
const ALL_METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";

/// What stands for a path where a request is for the server as a whole (RFC 9110, section 7.1).
pub const SERVER_PATH: &str = "*";

/// What can be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GET /channels/{id}`, and `DELETE`, which ends it
    Channel,
    /// `POST /channels/{id}/broadcast`
    Broadcast,
    /// `GET /channels/{id}/events`
    Events,
    /// `GET /channels/{id}/stats`
    Stats,
}

impl Action {
    const ALL: [Self; 4] = [Self::Channel, Self::Broadcast, Self::Events, Self::Stats];

    /// The rest of the path behind a channel's id.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Channel => "",
            Self::Broadcast => "/broadcast",
            Self::Events => "/events",
            Self::Stats => "/stats",
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
    /// `OPTIONS *`
    Server,
    /// Perhaps a file.
    File,
}

impl Route<'_> {
    /// The methods that it takes, as the `Allow` header lists them.
    pub fn allow(&self) -> &'static str {
        match self {
            Self::Channel(_, Action::Broadcast) => PUBLISH,
            Self::Channel(_, Action::Channel) => READ_OR_DELETE,
            Self::Server => ALL_METHODS,
            _ => READ,
        }
    }

    /// Whether it takes `method`.
    pub fn takes(&self, method: &str) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method)
    }
}

/// What `path`, still percent-encoded, names. An id that is empty names nothing.
pub fn route(path: &str) -> Route<'_> {
    if path == SERVER_PATH {
        return Route::Server;
    }
    let mut segments = path.split('/');
    let segments: [Option<&str>; 5] = std::array::from_fn(|_| segments.next());
    let (id, below) = match segments {
        [Some(""), Some("healthz"), None, ..] => return Route::Health,
        [Some(""), Some("channels"), Some(id), below, None] => (id, below),
        _ => return Route::File,
    };
    let named = |action: &Action| action.suffix().strip_prefix('/') == below;
    let Some(action) = Action::ALL.into_iter().find(named) else {
        return Route::File;
    };
    if id.is_empty() {
        return Route::File;
    }
    Route::Channel(id, action)
}

/// The path of an absolute URL as the runtime writes it, still percent-encoded.
pub fn path(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme
        .find('/')
        .and_then(|at| after_scheme.get(at..))
        .unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// The channel id that a path segment spells: after percent-decoding 1 to [`MAX_ID_CHARS`] of `A-Z a-z 0-9 . _ ~ : @ -`,
/// but not `.` and `..`, which lead to another path in a URL.
pub fn channel_id(segment: &str) -> Option<String> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~:@-".contains(byte);
    let id: Vec<u8> = percent_decode_str(segment).collect();
    let leads_elsewhere = id == b"." || id == b"..";
    if !(1..=MAX_ID_CHARS).contains(&id.len()) || !id.iter().all(allowed) || leads_elsewhere {
        return None;
    }
    String::from_utf8(id).ok()
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_path() {
        assert_eq!(path("http://a.example/"), "/");
        assert_eq!(
            path("http://a.example:1/channels/%66?x=/y#/z"),
            "/channels/%66"
        );
        assert_eq!(path("http://a.example/#/z?"), "/");
    }

    #[test]
    fn paths_are_routed() {
        use Action::*;
        assert_eq!(route("/channels/foo"), Route::Channel("foo", Channel));
        assert_eq!(
            route("/channels/foo/broadcast"),
            Route::Channel("foo", Broadcast)
        );
        assert_eq!(
            route("/channels/a%2Fb/stats"),
            Route::Channel("a%2Fb", Stats)
        );
        assert_eq!(route("/channels/foo/events"), Route::Channel("foo", Events));
        assert_eq!(route("/healthz"), Route::Health);
        assert_eq!(route("*"), Route::Server);
        for path in [
            "/",
            "/*",
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
        assert_eq!(
            channel_id("a.B_c~1:2@x-y").as_deref(),
            Some("a.B_c~1:2@x-y")
        );
        assert_eq!(channel_id("%66oo").as_deref(), Some("foo"));
        assert_eq!(
            channel_id(&"x".repeat(128)).as_deref(),
            Some("x".repeat(128).as_str())
        );
        let too_long = "x".repeat(129);
        for bad in [
            "", ".", "..", "%2e", "%2E.", "%2F", "%00", "a b", "%20", "%zz", "%", "é", "%C3%A9",
            "a+b", "a*", &too_long,
        ] {
            assert_eq!(channel_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn methods_are_checked() {
        assert!(route("/channels/foo").takes("GET"));
        assert!(route("/channels/foo").takes("HEAD"));
        assert!(route("/channels/foo").takes("DELETE"));
        assert!(!route("/channels/foo/events").takes("DELETE"));
        assert!(route("/healthz").takes("OPTIONS"));
        assert!(!route("/channels/foo/broadcast").takes("GET"));
        assert!(route("/channels/foo/broadcast").takes("POST"));
        assert!(!route("/").takes("POST"));
        assert!(!route("/").takes("get"));
        assert!(!route("/").takes("PROPFIND"));
    }
}
