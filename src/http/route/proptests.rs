//! Properties of the paths of the API.

use proptest::prelude::*;
use worker::Url;

use super::*;
use crate::http::url::path_of;
use proptest_support::{check, edited, text};

const PIECES: &[&str] = &[
    "/",
    "/",
    "/channels",
    "/channels/",
    "channels",
    "foo",
    "%2F",
    "/broadcast",
    "/stats",
    "/end",
    "/events",
    "/healthz",
    ".",
    "..",
    "é",
    "?",
    "#",
    "//",
    "Channels",
    "healthz",
    "\\",
    "*",
];

/// The pattern and the id that a path has, by a comparison with the text of each pattern.
fn expected(path: &str) -> Option<(&'static str, Option<&str>)> {
    if path == "/healthz" {
        return Some(("/healthz", None));
    }
    let rest = path.strip_prefix("/channels/")?;
    let (id, action) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let pattern = match action {
        "" => "/channels/{id}",
        "/broadcast" => "/channels/{id}/broadcast",
        "/end" => "/channels/{id}/end",
        "/events" => "/channels/{id}/events",
        "/stats" => "/channels/{id}/stats",
        _ => return None,
    };
    (!id.is_empty()).then_some((pattern, Some(id)))
}

fn found(path: &str) -> Option<(&'static str, Option<&str>)> {
    match Route::of(path) {
        Route::Api { path, id } => Some((path.pattern, id)),
        Route::Server | Route::File => None,
    }
}

#[test]
fn the_path_of_any_url_is_compared_with_whole_patterns() {
    let paths = prop_oneof![
        2 => edited("/channels/[a-z0-9%]{1,4}(/broadcast|/end|/stats|/events|/x|)", PIECES),
        1 => edited(Just("/healthz".to_owned()), PIECES),
        1 => text(PIECES, 6).prop_map(|path| format!("/{path}")),
    ];
    let hosts = prop::sample::select(&["a.example", "a.example:8080", "[::1]:1", "127.0.0.1"][..]);
    let queries = text(&["?", "/", "a", "=", "#", "/channels/foo"], 4);
    let cases = (hosts, paths, queries);
    // A path that the generator never makes fails the test, so a new path of the API is added there, too.
    let patterns = API.iter().map(|path| path.pattern);
    let classes: Vec<_> = patterns.chain(["a file", "a query"]).collect();
    check(&classes, cases, |(host, written, query), seen| {
        prop_assert_eq!(found(&written), expected(&written));
        // The runtime normalizes a URL before the Worker gets it.
        let slash = if written.starts_with('/') { "" } else { "/" };
        let url = Url::parse(&format!("http://{host}{slash}{written}?{query}")).unwrap();
        prop_assert_eq!(path_of(url.as_str()), url.path());
        let found = found(url.path());
        prop_assert_eq!(found, expected(url.path()));
        seen.note_if(url.query().is_some(), "a query");
        seen.note(found.map_or("a file", |(pattern, _)| pattern));
        Ok(())
    });
}
