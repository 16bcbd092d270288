//! The target of a request: the path and the query of its URL, after the host in front of them was checked. Pure.
//!
//! The runtime joins `http://`, the header `Host` and the target of the request line without looking at any of them. A
//! `Host` that is not a host can therefore contain a path, which a router would then find, although a proxy in front of
//! the hub checked a different path. So only [`Target::read`] makes a [`Target`], and everything that depends on the
//! path or the query of a client takes them from a [`Target`].

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::http::method::Method;
use crate::http::problem::Problem;
use crate::http::route::SERVER_PATH;
use crate::http::url;

/// The longest host name, in characters: what DNS allows (RFC 1035, section 2.3.4).
const MAX_NAME_CHARS: usize = 253;

/// The characters that end the host in a URL. Browsers treat `\` like `/`.
const AUTHORITY_ENDS: [char; 4] = ['/', '?', '#', '\\'];

/// The path and the query of a request, still percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Begins with `/`, or is [`SERVER_PATH`].
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Reads the URL of a request, as the runtime writes it, and its header `Host`, which requests of other Workers do
    /// not have. Fails with [`Problem::InvalidHost`] or [`Problem::InvalidTarget`].
    pub fn read(url: &'a str, host: Option<&str>, method: Method) -> Result<Self, Problem> {
        if !host.is_none_or(is_host) {
            return Err(Problem::InvalidHost);
        }
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let end = rest.find(AUTHORITY_ENDS).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // The header was checked already. This is the host in the URL; the path begins after it.
        let is_server =
            target.is_empty() && authority.strip_suffix(SERVER_PATH).is_some_and(is_host);
        if is_server && method == Method::Options {
            return Ok(Self {
                path: SERVER_PATH,
                query: "",
            });
        }
        if !is_server && !is_host(authority) {
            return Err(Problem::InvalidHost);
        }
        if is_server || !target.starts_with('/') {
            return Err(Problem::InvalidTarget);
        }
        Ok(Self {
            path: url::path_of(url),
            query: url::query_of(url),
        })
    }
}

/// Whether `text` is a host with or without a port (RFC 9110, section 7.2): a host name, an IPv4 address, or an IPv6
/// address in brackets. RFC 3986 would also allow percent-encoding, `!$&'()*+,;=~`, and addresses of future versions,
/// but no host that exists has them.
pub fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name_or_ipv4(host),
    };
    is_host && is_port(port)
}

/// A port may be empty (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || (digits && text.parse::<u16>().is_ok())
}

/// Allows underscores. RFC 1123 does not, but the names of many containers have them.
fn is_name_or_ipv4(text: &str) -> bool {
    // A complete name may end with the dot of the DNS root.
    let name = text.strip_suffix('.').unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    if name.len() > MAX_NAME_CHARS || !name.split('.').all(is_label) {
        return false;
    }
    // URL parsers treat a name that ends in a number as an IPv4 address, and no top-level domain is a number.
    let last = name.rsplit('.').next().unwrap_or(name);
    !is_number(last) || name.parse::<Ipv4Addr>().is_ok()
}

/// Whether URL parsers read a label as a decimal, octal or hexadecimal number.
fn is_number(label: &str) -> bool {
    let digits = label.bytes().all(|byte| byte.is_ascii_digit());
    let after_prefix = ["0x", "0X"].iter().find_map(|x| label.strip_prefix(x));
    digits || after_prefix.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_that_a_client_may_send_is_accepted() {
        for good in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
            "[2001:db8::ffff:1.2.3.4]:443",
            "hub.example",
            "HUB.Example:80",
            "hub.example.",
            "hub.example.:8080",
            "xn--bcher-kva.example",
            "my_hub-1",
            "1.2.3.example",
            "0xyz",
            "-a",
            "a:",
            "a:0",
            "a:65535",
            "a:00080",
            &"a".repeat(253),
        ] {
            assert!(is_host(good), "{good}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_host_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a,b",
            "a b",
            "x, y",
            "a\tb",
            "a\u{1}",
            "u@h",
            "u:p@h",
            "%",
            "%41",
            "x/channels/foo/stats?",
            "h\\channels\\foo",
            "x?y",
            "x#y",
            "http://x",
            "é",
            "*",
            "a*",
            "a:65536",
            "a:99999",
            "a:-1",
            "a:+1",
            "a:x",
            "a: 1",
            "a:80:80",
            ":80",
            ":",
            "::1",
            "[",
            "[]",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]]",
            "[::1]:x",
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "[1.2.3.4]",
            "1.2.3.999",
            "1.2.3",
            "127.1",
            "0177.0.0.1",
            "0x7f000001",
            "a.0X",
            "999999999999",
            "a.1",
            &"a".repeat(254),
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    fn read<'a>(url: &'a str, host: &str, method: &str) -> Result<(&'a str, &'a str), Problem> {
        Target::read(url, Some(host), Method::parse(method))
            .map(|target| (target.path, target.query))
    }

    #[test]
    fn the_target_is_the_path_and_the_query_after_the_host() {
        let url = "http://a.example:1/channels/%66?x=/y";
        assert_eq!(
            read(url, "a.example:1", "GET"),
            Ok(("/channels/%66", "x=/y"))
        );
        assert_eq!(
            Target::read("https://hub/", None, Method::Get).map(|target| target.path),
            Ok("/")
        );
        assert_eq!(read("http://[::1]:1/a", "[::1]:1", "GET"), Ok(("/a", "")));
    }

    #[test]
    fn a_host_cannot_choose_the_path() {
        for host in [
            "x/channels/foo/stats?",
            "x\\channels\\foo\\stats?",
            "x#",
            "x?",
        ] {
            let url = format!("http://{host}/healthz");
            assert_eq!(read(&url, host, "GET"), Err(Problem::InvalidHost), "{host}");
        }
        // A proxy may have sent a header Host that differs from the host in the URL.
        assert_eq!(
            read("http://x\\y/healthz", "x", "GET"),
            Err(Problem::InvalidTarget)
        );
        assert_eq!(
            read("http://u@x/healthz", "x", "GET"),
            Err(Problem::InvalidHost)
        );
    }

    #[test]
    fn the_server_as_a_whole_takes_only_options() {
        assert_eq!(read("http://x*", "x", "OPTIONS"), Ok(("*", "")));
        for method in ["GET", "HEAD", "POST", "options"] {
            assert_eq!(
                read("http://x*", "x", method),
                Err(Problem::InvalidTarget),
                "{method}"
            );
        }
        for url in ["http://x", "http://x?y", "http://x\\y"] {
            assert_eq!(
                read(url, "x", "OPTIONS"),
                Err(Problem::InvalidTarget),
                "{url}"
            );
        }
    }
}
