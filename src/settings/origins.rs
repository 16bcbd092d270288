//! The setting `ALLOWED_ORIGINS`: the origins whose pages may read the responses. Pure.

use std::rc::Rc;

use crate::environment::{Environment, SettingError};
use crate::settings::table::ALLOWED_ORIGINS;

/// The value of `ALLOWED_ORIGINS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// `*`: all origins.
    Any,
    /// These origins, spelled as browsers send them.
    Listed(Vec<Rc<str>>),
}

impl Origins {
    /// Reads `ALLOWED_ORIGINS`.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let text = ALLOWED_ORIGINS.read(environment);
        if text == "*" {
            return Ok(Self::Any);
        }
        let listed = text.split([',', ' ']).filter(|origin| !origin.is_empty());
        let origins: Option<Vec<Rc<str>>> = listed
            .map(|origin| is_origin(origin).then(|| origin.into()))
            .collect();
        match origins.filter(|origins| !origins.is_empty()) {
            Some(origins) => Ok(Self::Listed(origins)),
            None => Err(SettingError {
                name: ALLOWED_ORIGINS.name,
                found: format!("is \"{text}\""),
                expected: "*, or exact origins with commas between them, such as https://app.example or http://localhost:3000".to_owned(),
            }),
        }
    }
}

/// Whether a browser could send `text` in the header `Origin`. The hub compares origins as whole texts, so an origin
/// that is spelled differently would never match. (A library that parses URLs would make the Worker half as large
/// again.)
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => consists_of(address, b":"),
        None => consists_of(host, b".-_"),
    };
    // A browser leaves the default port of a scheme out.
    let is_default_port = matches!(
        (scheme, port),
        ("http", Some("80")) | ("https", Some("443"))
    );
    let is_port = port.is_none_or(|port| {
        port.parse::<u16>()
            .is_ok_and(|number| number.to_string() == port)
    });
    consists_of(scheme, b"+.-") && is_host && is_port && !is_default_port
}

/// Whether `text` is not empty and has only lower case letters, digits, and `others`.
fn consists_of(text: &str, others: &[u8]) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Origins, SettingError> {
        Origins::read(&Environment::new(&|_| Some(text.to_owned())))
    }

    #[test]
    fn allowed_origins_is_a_star_or_a_list_of_origins_as_browsers_send_them() {
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
}
