//! Which pages of other origins may read a response. Pure.

use std::rc::Rc;

use crate::settings::origins::Origins;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// The response headers that a page may read in addition to those that it may always read.
const EXPOSED_HEADERS: &str = "Retry-After, Idempotency-Replayed";

/// The header in which a preflight request lists the headers that a script wants to send.
pub const REQUESTED_HEADERS: &str = "Access-Control-Request-Headers";

/// The request headers that every preflight response allows.
const ALWAYS_ALLOWED: [&str; 4] = [
    "Content-Type",
    "Authorization",
    "Last-Event-ID",
    "Idempotency-Key",
];

/// The most names of requested headers in a preflight response.
const MAX_REQUESTED: usize = 32;

/// The longest name of a requested header in a preflight response, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The value of `Access-Control-Allow-Headers`: the headers that are always allowed, and those in `requested`, the
/// value of [`REQUESTED_HEADERS`]. The hub ignores headers that it does not know, but scripts and tracing libraries add
/// some. Leaves out names that are not valid, too long or too many, and `*`, which would stand for all.
pub fn allowed_headers(requested: &str) -> String {
    let mut names = ALWAYS_ALLOWED.to_vec();
    let requested = requested
        .split(',')
        .map(|name| name.trim_matches([' ', '\t']));
    for name in requested.filter(|name| is_header_name(name)) {
        if names.len() == ALWAYS_ALLOWED.len().saturating_add(MAX_REQUESTED) {
            break;
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Whether `text` is a token (RFC 9110, section 5.6.2) of up to [`MAX_NAME_CHARS`], and not `*`.
fn is_header_name(text: &str) -> bool {
    let is_token_char =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=MAX_NAME_CHARS).contains(&text.len()) && text != "*" && text.bytes().all(is_token_char)
}

/// What a response says about the origin of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cors {
    /// Pages of all origins may read the response.
    Any,
    /// Pages of this origin may read the response, also if the request had cookies.
    Allowed(Rc<str>),
    /// No page of another origin may read the response.
    Refused,
}

impl Cors {
    /// What the response to a request says. `origin` gives the header `Origin` of the request; it is called only if the
    /// response depends on it.
    pub fn new(allowed: &Origins, origin: impl FnOnce() -> Option<String>) -> Self {
        let Origins::Listed(listed) = allowed else {
            return Self::Any;
        };
        let found = origin().and_then(|origin| listed.iter().find(|known| ***known == *origin));
        found.map_or(Self::Refused, |origin| Self::Allowed(origin.clone()))
    }

    /// The headers of every response. The response to a preflight request has more of them.
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        let exposed = ("Access-Control-Expose-Headers", EXPOSED_HEADERS);
        let vary = ("Vary", "Origin");
        match self {
            Self::Any => vec![(ALLOW_ORIGIN, "*"), exposed],
            Self::Allowed(origin) => vec![
                (ALLOW_ORIGIN, origin),
                ("Access-Control-Allow-Credentials", "true"),
                exposed,
                vary,
            ],
            Self::Refused => vec![vary],
        }
    }
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: &str = "Content-Type, Authorization, Last-Event-ID, Idempotency-Key";

    #[test]
    fn a_preflight_response_allows_the_requested_headers_beside_the_usual_ones() {
        for (requested, more) in [
            ("", ""),
            (", ,\t,", ""),
            ("cache-control", ", cache-control"),
            (
                "authorization,CONTENT-TYPE,traceparent, x-requested-with",
                ", traceparent, x-requested-with",
            ),
            ("a,A,b,a", ", a, b"),
            ("*, x*", ", x*"),
            ("a b, c\u{e9}, d:e, \"f\", g\r\nh: i, (j), k", ", k"),
        ] {
            assert_eq!(allowed_headers(requested), format!("{ALWAYS}{more}"));
        }
    }

    #[test]
    fn a_preflight_response_has_at_most_32_requested_names_of_up_to_64_characters() {
        let longest = "x".repeat(MAX_NAME_CHARS);
        assert!(allowed_headers(&longest).ends_with(&longest));
        assert_eq!(allowed_headers(&format!("{longest}x")), ALWAYS);
        let names: Vec<_> = (0..10_000).map(|number| format!("x-{number}")).collect();
        let expected = format!("{ALWAYS}, {}", names[..MAX_REQUESTED].join(", "));
        assert_eq!(allowed_headers(&names.join(",")), expected);
    }

    #[test]
    fn only_a_listed_origin_is_allowed_and_it_is_compared_as_a_whole() {
        let listed = Origins::Listed(vec![
            "https://a.example".into(),
            "http://localhost:3000".into(),
        ]);
        let cors = |origin: &str| Cors::new(&listed, || Some(origin.to_owned()));
        for origin in ["https://a.example", "http://localhost:3000"] {
            assert_eq!(cors(origin), Cors::Allowed(origin.into()));
        }
        for other in [
            "https://a.example.evil",
            "https://b.a.example",
            "http://a.example",
            "null",
            "",
            "*",
        ] {
            assert_eq!(cors(other), Cors::Refused, "{other}");
        }
        assert_eq!(Cors::new(&listed, || None), Cors::Refused);
    }

    #[test]
    fn the_header_origin_is_not_read_if_all_origins_are_allowed() {
        let cors = Cors::new(&Origins::Any, || panic!("read"));
        assert_eq!(cors, Cors::Any);
    }
}
