//! Of `ALLOWED_ORIGINS`, and of the header `Origin`.

use proptest::prelude::*;
use proptest::sample::select;
use worker::Url;

use super::*;
use proptest_support::{check, edited};

const PIECES: &[&str] = &[
    "/", ":", ".", "a", "A", "*", "@", "?", "#", "é", " ", ",", "%", "0", "[", "\\", "\t", "\0",
];

fn origin() -> impl Strategy<Value = String> {
    let hosts = [
        "a.example",
        "b.a.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "xn--bcher-kva.example",
        "a-b.example",
    ];
    let ports = ["", "", "", ":3000", ":8443", ":80", ":443", ":0", ":65536"];
    (
        select(&["https", "http"][..]),
        select(hosts.to_vec()),
        select(ports.to_vec()),
    )
        .prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}"))
}

/// Whether it is how a browser shows an origin of the web, by the library's word. It knows more of hosts than DNS does.
fn is_shown_so(text: &str) -> bool {
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/[]".contains(&byte);
    Url::parse(text).is_ok_and(|url| {
        let origin = url.origin();
        origin.is_tuple() && origin.ascii_serialization() == text && text.bytes().all(host)
    })
}

/// Whether it has the form of an origin; of some such no browser has ever heard, and they are never sent.
fn looks_so(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let small = |text: &str| {
        let mut characters = text.chars();
        !text.is_empty() && characters.all(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase())
    };
    let other = ['/', '@', '?', '#', '*', '%', '\\', '"'];
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "no port",
    };
    small(scheme) && small(rest) && !rest.contains(other) && !rest.ends_with(port)
}

#[test]
fn a_list_is_of_exact_origins_and_only_they_are_allowed() {
    let separators = select(&[", ", ",", " ", ",,"][..]);
    let one = prop_oneof![3 => origin().boxed(), 1 => edited(origin(), PIECES).boxed()];
    let lists = (prop::collection::vec(one, 1..4), separators)
        .prop_map(|(list, between)| list.join(between));
    let others = select(&["*", "", ",", " "][..]).prop_map(str::to_owned);
    let lists = prop_oneof![7 => lists, 1 => others];
    let cases = (lists, edited(origin(), PIECES));
    let classes = ["any", "a list", "several", "no list", "allowed", "refused"];
    check(&classes, cases, |(text, asked), seen| {
        let read = Origins::read(&Environment::new(&|_| Some(text.clone())));
        let listed: Vec<&str> = text
            .split([',', ' '])
            .filter(|origin| !origin.is_empty())
            .collect();
        let any = text.is_empty() || text == "*";
        let form = !listed.is_empty() && listed.iter().all(|origin| looks_so(origin));
        let good = !listed.is_empty() && listed.iter().all(|origin| is_shown_so(origin));
        let origins = match read {
            Err(error) => {
                seen.note("no list");
                prop_assert_eq!(error.name, "ALLOWED_ORIGINS");
                prop_assert!(!any && !good, "{error}");
                return Ok(());
            }
            Ok(Origins::Any) => {
                seen.note("any");
                prop_assert!(any);
                prop_assert_eq!(Origins::Any.cors(|| Some(asked)), Cors::Any);
                return Ok(());
            }
            Ok(origins) => origins,
        };
        prop_assert!(form && !any, "{text}");
        seen.note("a list");
        seen.note_if(listed.len() > 1, "several");
        prop_assert_eq!(origins.cors(|| None), Cors::Refused);
        for asked in listed.iter().copied().chain([asked.as_str()]) {
            let found = origins.cors(|| Some(asked.to_owned()));
            let allowed = listed.contains(&asked);
            seen.note(if allowed { "allowed" } else { "refused" });
            let expected = if allowed {
                Cors::Allowed(asked.into())
            } else {
                Cors::Refused
            };
            prop_assert_eq!(&found, &expected);
            // No header can be broken by it.
            prop_assert!(
                found
                    .headers()
                    .iter()
                    .all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
            );
        }
        Ok(())
    });
}
