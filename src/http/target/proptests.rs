//! Properties of hosts, and of the URLs that the runtime makes from them.

use proptest::prelude::*;
use worker::Url;

use super::*;
use proptest_support::{check, edited, text};

const PIECES: &[&str] = &[
    "/",
    "?",
    "#",
    "\\",
    "@",
    ":",
    ":80",
    ":65536",
    "[",
    "]",
    "::1",
    ".",
    "..",
    ",",
    " ",
    "\t",
    "\0",
    "\u{1b}",
    "%",
    "%2f",
    "*",
    "é",
    "a",
    "Z",
    "-",
    "_",
    "0",
    "9",
    "127.0.0.1",
    "1.2.3",
    "/channels/foo/stats?",
    "xn--",
];

fn hosts() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        2 => "[A-Za-z0-9_-]{1,8}(\\.[A-Za-z][A-Za-z0-9_-]{0,7}){0,3}\\.?",
        1 => "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        1 => "\\[(::|[0-9a-f]{1,4}::|::ffff:)([0-9a-f]{1,4}|1\\.2\\.3\\.4)\\]",
        1 => "a{251,255}",
    ];
    let port = prop_oneof![2 => Just(String::new()), 2 => ":[0-9]{0,4}", 1 => ":6[45][0-9]{3}"];
    let whole = (host, port).prop_map(|(host, port)| host + &port);
    prop_oneof![2 => whole.clone(), 2 => edited(whole, PIECES), 1 => text(PIECES, 5)]
}

/// Whether a URL parser finds only a host of this spelling, and perhaps a port, in `text`.
fn is_host_to_a_parser(text: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{text}/p?q")) else {
        return false;
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (text, None),
    };
    let number = port
        .filter(|port| !port.is_empty())
        .and_then(|port| port.parse().ok());
    let found = url.host_str().unwrap_or_default();
    let spelled = match url.host() {
        // An IPv6 address has many spellings.
        Some(worker::url::Host::Ipv6(_)) => host.starts_with('[') && host.ends_with(']'),
        Some(worker::url::Host::Ipv4(_)) => found == host.trim_end_matches('.'),
        _ => found == host.to_ascii_lowercase(),
    };
    spelled
        && url.port_or_known_default() == Some(number.unwrap_or(80))
        && (url.path(), url.query(), url.username()) == ("/p", Some("q"), "")
}

#[test]
fn a_text_is_a_host_if_and_only_if_a_url_parser_finds_just_a_host_in_it() {
    let classes = [
        "a name",
        "an IPv4 address",
        "an IPv6 address",
        "a port",
        "none",
    ];
    check(&classes, hosts(), |host: String, seen| {
        let found = is_host(&host);
        seen.note_if(
            found && host.contains(':') && !host.ends_with(']'),
            "a port",
        );
        seen.note(match found {
            true if host.starts_with('[') => "an IPv6 address",
            true if host.starts_with(|c: char| c.is_ascii_digit()) => "an IPv4 address",
            true => "a name",
            false => "none",
        });
        if found && !host.to_ascii_lowercase().contains("xn--") {
            prop_assert!(is_host_to_a_parser(&host), "{host:?}");
        }
        // A URL parser also accepts other characters and empty labels, which this module refuses.
        let odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.:[]".contains(c);
        let empty_label = host.starts_with('.') || host.contains("..") || host == ".";
        if !found && !host.contains(odd) && !empty_label && host.len() < 250 {
            prop_assert!(!is_host_to_a_parser(&host), "{host:?}");
        }
        Ok(())
    });
}

#[test]
fn the_path_is_that_of_the_request_line_whatever_the_host_is() {
    let targets = prop_oneof![
        3 => "/(channels/[a-z]{1,3}(/stats|/broadcast)?|healthz|)(\\?[a-z=&/?]{0,6})?",
        1 => Just("*".to_owned()),
    ];
    let methods = prop::sample::select(&["GET", "OPTIONS", "POST"][..]);
    let classes = ["a path", "the server", "no host", "no target"];
    check(
        &classes,
        (hosts(), targets, methods),
        |(host, target, method), seen| {
            // workerd joins them like this.
            let url = format!("http://{host}{target}");
            let found = Target::read(&url, Some(&host), Method::parse(method));
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let expected = if !is_host(&host) {
                seen.note("no host");
                Err(Problem::InvalidHost)
            } else if target != "*" {
                seen.note("a path");
                Ok(Target { path, query })
            } else if method == "OPTIONS" {
                seen.note("the server");
                Ok(Target { path, query })
            } else {
                seen.note("no target");
                Err(Problem::InvalidTarget)
            };
            prop_assert_eq!(found, expected);
            Ok(())
        },
    );
}
