//! What a request is for: the path and the query of its URL, once the host in front of them is known to be one. Pure.
//!
//! The runtime puts `http://`, the `Host` header and the request line's target together, and does not look at any of
//! them. A `Host` that is no host can therefore contain the path that a router finds, while a proxy in front has
//! permitted another one. The only way to a [`Target`] is [`Target::read`], and everything that depends on a path or a
//! query of a client takes them from a [`Target`].

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::http::problem::Problem;
use crate::http::query;
use crate::http::route::{self, SERVER_PATH};

/// The longest host name, in characters: what DNS allows (RFC 1035, section 2.3.4).
const MAX_NAME_CHARS: usize = 253;

/// What ends the authority of a URL. A browser's parser takes `\` for `/`.
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
    /// Reads the URL of a request with this method, as the runtime writes it, and its header `Host`, where it has one:
    /// the requests of other Workers have none. Fails with [`Problem::InvalidHost`] or [`Problem::InvalidTarget`].
    pub fn read(url: &'a str, host: Option<&str>, method: &str) -> Result<Self, Problem> {
        if !host.is_none_or(is_host) {
            return Err(Problem::InvalidHost);
        }
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let end = rest.find(AUTHORITY_ENDS).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // The host is never read again, but it decides where the path begins.
        let is_server =
            target.is_empty() && authority.strip_suffix(SERVER_PATH).is_some_and(is_host);
        if is_server && method == "OPTIONS" {
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
            path: route::path(url),
            query: query::query(url),
        })
    }
}

/// Whether `text` is a host, with or without a port (RFC 9110, section 7.2): a host name, an IPv4 address, or an IPv6
/// address in brackets. RFC 3986 would also allow percent-encoding, `!$&'()*+,;=~`, and addresses of future versions;
/// no host that can be reached has them.
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

/// An empty port is none (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || (digits && text.parse::<u16>().is_ok())
}

/// Underscores are in no host name of RFC 1123, but in those of many containers.
fn is_name_or_ipv4(text: &str) -> bool {
    // The name of the root, at which every complete name ends.
    let name = text.strip_suffix('.').unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    if name.len() > MAX_NAME_CHARS || !name.split('.').all(is_label) {
        return false;
    }
    // No top-level domain is a number, and parsers of URLs take what ends in one for an IPv4 address.
    let last = name.rsplit('.').next().unwrap_or(name);
    !is_number(last) || name.parse::<Ipv4Addr>().is_ok()
}

/// Whether parsers of URLs take a label for a number: a decimal, octal or hexadecimal one.
fn is_number(label: &str) -> bool {
    let digits = label.bytes().all(|byte| byte.is_ascii_digit());
    let behind_prefix = ["0x", "0X"].iter().find_map(|x| label.strip_prefix(x));
    digits || behind_prefix.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_browsers_and_curl_send_are_hosts() {
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
    fn what_is_no_host_is_refused() {
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
        Target::read(url, Some(host), method).map(|target| (target.path, target.query))
    }

    #[test]
    fn a_target_is_what_follows_the_host() {
        let url = "http://a.example:1/channels/%66?x=/y";
        assert_eq!(
            read(url, "a.example:1", "GET"),
            Ok(("/channels/%66", "x=/y"))
        );
        assert_eq!(
            Target::read("https://hub/", None, "GET").map(|target| target.path),
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
        // Where a proxy has put another Host into the header than the URL has.
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
    fn the_server_as_a_whole_has_options_and_nothing_else() {
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
