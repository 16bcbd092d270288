//! Which pages of other origins may read a response. Pure.

use std::rc::Rc;

use crate::settings::origins::Origins;

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// The response headers that a page may read in addition to those that it may always read.
const EXPOSED_HEADERS: &str = "Retry-After, Idempotency-Replayed";

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
mod tests {
    use super::*;

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
