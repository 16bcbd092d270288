//! Properties of `ALLOWED_ORIGINS`.

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

/// Whether `text` is exactly the origin that a URL library finds in it. The library accepts some hosts that DNS does
/// not allow, so this checks their characters, too.
fn is_origin_of_a_url(text: &str) -> bool {
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/[]".contains(&byte);
    Url::parse(text).is_ok_and(|url| {
        let origin = url.origin();
        origin.is_tuple() && origin.ascii_serialization() == text && text.bytes().all(host)
    })
}

/// Whether `text` has the form of an origin. Some texts of this form are of schemes that no browser knows, and no
/// browser sends them.
fn has_the_form_of_an_origin(text: &str) -> bool {
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
fn a_list_holds_exactly_the_origins_that_it_names() {
    let separators = select(&[", ", ",", " ", ",,"][..]);
    let one = prop_oneof![3 => origin().boxed(), 1 => edited(origin(), PIECES).boxed()];
    let lists = (prop::collection::vec(one, 1..4), separators)
        .prop_map(|(list, between)| list.join(between));
    let others = select(&["*", "", ",", " "][..]).prop_map(str::to_owned);
    let cases = prop_oneof![7 => lists, 1 => others];
    let classes = ["any origin", "a list", "several origins", "an error"];
    check(&classes, cases, |text, seen| {
        let read = Origins::read(&Environment::new(&|_| Some(text.clone())));
        let listed: Vec<&str> = text
            .split([',', ' '])
            .filter(|origin| !origin.is_empty())
            .collect();
        let any = text.is_empty() || text == "*";
        let all = |is_good: fn(&str) -> bool| {
            !listed.is_empty() && listed.iter().all(|origin| is_good(origin))
        };
        match read {
            Err(error) => {
                seen.note("an error");
                prop_assert_eq!(error.name, "ALLOWED_ORIGINS");
                prop_assert!(!any && !all(is_origin_of_a_url), "{error}");
            }
            Ok(Origins::Any) => {
                seen.note("any origin");
                prop_assert!(any);
            }
            Ok(Origins::Listed(origins)) => {
                seen.note("a list");
                seen.note_if(listed.len() > 1, "several origins");
                prop_assert!(!any && all(has_the_form_of_an_origin), "{text}");
                let origins: Vec<&str> = origins.iter().map(|origin| &**origin).collect();
                prop_assert_eq!(origins, listed);
            }
        }
        Ok(())
    });
}
