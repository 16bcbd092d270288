//! Which pages of other origins may read the answers. Pure.

use std::rc::Rc;

use crate::environment::{Environment, SettingError};

/// The setting `ALLOWED_ORIGINS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// `*`
    Any,
    /// These, as browsers send them.
    Listed(Vec<Rc<str>>),
}

/// What an answer says about the page that asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cors {
    /// Pages of all origins may read it.
    Any,
    /// Pages of this origin may, also with cookies.
    Allowed(Rc<str>),
    /// Nobody may, or no page has asked.
    Refused,
}

impl Origins {
    /// Reads `ALLOWED_ORIGINS`.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let name = "ALLOWED_ORIGINS";
        let text = environment.get(name).unwrap_or_else(|| "*".to_owned());
        if text == "*" {
            return Ok(Self::Any);
        }
        let listed = text.split([',', ' ']).filter(|origin| !origin.is_empty());
        let origins: Option<Vec<Rc<str>>> = listed
            .map(|origin| is_origin(origin).then(|| origin.into()))
            .collect();
        let wrong = || {
            SettingError {
            name,
            found: format!("is \"{text}\""),
            expected: "*, or exact origins with commas between them, such as https://app.example or http://localhost:3000".to_owned(),
        }
        };
        let origins = origins.filter(|origins| !origins.is_empty());
        Ok(Self::Listed(origins.ok_or_else(wrong)?))
    }

    /// What the answer to a request from `origin`, its header of that name, says. It is only asked for where it matters.
    pub fn cors(&self, origin: impl FnOnce() -> Option<String>) -> Cors {
        let Self::Listed(origins) = self else {
            return Cors::Any;
        };
        let allowed = origin().and_then(|origin| origins.iter().find(|known| ***known == *origin));
        allowed.map_or(Cors::Refused, |origin| Cors::Allowed(origin.clone()))
    }
}

/// Whether a browser would send `text` as an origin: nothing is compared but whole texts. (A parser of URLs would be more
/// than half as large as the rest of this Worker.)
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let of = |text: &str, more: &[u8]| {
        let fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
        !text.is_empty() && text.bytes().all(fits)
    };
    let is_host = match inside {
        Some(address) => of(address, b":"),
        None => of(host, b".-_"),
    };
    let is_default = matches!(
        (scheme, port),
        ("http", Some("80")) | ("https", Some("443"))
    );
    let is_port = port.is_none_or(|port| {
        port.parse::<u16>()
            .is_ok_and(|number| number.to_string() == port)
    });
    of(scheme, b"+.-") && is_host && is_port && !is_default
}

impl Cors {
    /// The headers of an answer, but for what only the answer to a preflight request has.
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        let exposed = ("Access-Control-Expose-Headers", EXPOSED);
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

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

/// What a page may read beside what it always may.
const EXPOSED: &str = "Retry-After, Idempotency-Replayed";

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Origins, SettingError> {
        Origins::read(&Environment::new(&|_| Some(text.to_owned())))
    }

    #[test]
    fn origins_are_listed_as_browsers_send_them() {
        assert_eq!(read(""), Ok(Origins::Any));
        assert_eq!(read("*"), Ok(Origins::Any));
        let listed = "https://a.example, http://localhost:3000,https://xn--bcher-kva.example http://[::1]:8080 capacitor://localhost";
        let Ok(Origins::Listed(origins)) = read(listed) else {
            panic!("{:?}", read(listed));
        };
        assert_eq!(origins.len(), 5);
        for bad in [
            ",",
            "a.example",
            "https://a.example/",
            "https://a.example/b",
            "HTTPS://a.example",
            "https://A.example",
            "https://a.example:443",
            "https://*.example",
            "https://a.example, *",
            "null",
            "https://u@a.example",
            "https://a.example?",
            "https://bücher.example",
            "https://",
            "file://",
            "data:,",
            "localhost:3000",
            "https://a.example:",
            "https://a.example:+1",
            "https://a.example:070",
            "https://a.example:65536",
            "http://[::1",
            "http://::1",
            "https://a b.example",
            "://a",
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.name, "ALLOWED_ORIGINS", "{bad}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let origins = read("https://a.example,http://localhost:3000").unwrap();
        let cors = |origin: &str| origins.cors(|| Some(origin.to_owned()));
        assert_eq!(
            cors("https://a.example"),
            Cors::Allowed("https://a.example".into())
        );
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
        assert_eq!(origins.cors(|| None), Cors::Refused);
        assert_eq!(Origins::Any.cors(|| panic!("not asked for")), Cors::Any);
    }
}
