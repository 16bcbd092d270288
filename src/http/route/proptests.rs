//! Of paths, and of the ids in them.

use proptest::prelude::*;
use worker::Url;

use super::*;
use proptest_support::{check, edited, hidden, percent_decoded, percent_encoded, text};

const ALLOWED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-";

fn leads_elsewhere(id: &str) -> bool {
    [".", ".."].contains(&id)
}

#[test]
fn an_id_is_read_however_it_is_encoded() {
    let ids = prop_oneof!["[A-Za-z0-9._~:@-]{1,12}", "[A-Za-z0-9._~:@-]{126,130}"];
    let classes = ["short", "of the greatest length", "too long"];
    check(&classes, (ids, hidden()), |(id, hidden), seen| {
        seen.note(match id.len() {
            ..=127 => "short",
            128 => "of the greatest length",
            _ => "too long",
        });
        let segment = percent_encoded(&id, &hidden, |_| true);
        let expected = (id.len() <= 128 && !leads_elsewhere(&id)).then_some(id);
        prop_assert_eq!(channel_id(&segment), expected);
        Ok(())
    });
}

#[test]
fn what_is_no_id_is_refused() {
    let pieces = &[
        "a", "Z", "0", "-", "~", ":", "@", ".", "_", "%61", "%5a", "%2F", "%2", "%", "%zz", "%00",
        "%25", "%2525", "%C3%A9", "%ff", "é", "*", "+", " ", "\0", "/", "\\", "..",
    ];
    let long = "[a-z]{126,129}";
    let segments = prop_oneof![
        3 => text(pieces, 6),
        1 => edited(long, pieces),
        2 => edited("([A-Za-z0-9._~:@-]|%[46][1-9a-f]){1,9}", pieces),
    ];
    let classes = ["an id", "empty", "too long", "other characters", "decoded"];
    check(&classes, segments, |segment: String, seen| {
        let decoded = percent_decoded(&segment);
        let text = String::from_utf8(decoded.clone()).ok();
        let allowed = text.filter(|text| text.chars().all(|c| ALLOWED.contains(c)));
        let expected =
            allowed.filter(|id| !id.is_empty() && id.len() <= 128 && !leads_elsewhere(id));
        seen.note(match &expected {
            Some(id) if *id == segment => "an id",
            Some(_) => "decoded",
            None if decoded.is_empty() => "empty",
            None if decoded.len() > 128 => "too long",
            None => "other characters",
        });
        prop_assert_eq!(channel_id(&segment), expected.clone());
        if let Some(id) = expected {
            prop_assert_eq!(channel_id(&id), Some(id.clone()));
        }
        Ok(())
    });
}

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

/// What the table in `README.md` says.
fn named(path: &str) -> Route<'_> {
    if path == "/healthz" {
        return Route::Health;
    }
    let Some(rest) = path.strip_prefix("/channels/") else {
        return Route::File;
    };
    let (id, action) = match rest.split_once('/') {
        None => (rest, Action::Channel),
        Some((id, "broadcast")) => (id, Action::Broadcast),
        Some((id, "events")) => (id, Action::Events),
        Some((id, "stats")) => (id, Action::Stats),
        Some(_) => return Route::File,
    };
    if id.is_empty() {
        return Route::File;
    }
    Route::Channel(id, action)
}

#[test]
fn any_url_is_routed() {
    let paths = prop_oneof![
        2 => edited("/channels/[a-z0-9%]{1,4}(/broadcast|/stats|/events|/x|)", PIECES),
        1 => edited(Just("/healthz".to_owned()), PIECES),
        1 => text(PIECES, 6).prop_map(|path| format!("/{path}")),
    ];
    let hosts = prop::sample::select(&["a.example", "a.example:8080", "[::1]:1", "127.0.0.1"][..]);
    let queries = text(&["?", "/", "a", "=", "#", "/channels/foo"], 4);
    let cases = (hosts, paths, queries);
    let classes = [
        "Channel",
        "Broadcast",
        "Events",
        "Stats",
        "health",
        "file",
        "a query",
    ];
    check(&classes, cases, |(host, written, query), seen| {
        prop_assert_eq!(route(&written), named(&written));
        // As the runtime writes it.
        let slash = if written.starts_with('/') { "" } else { "/" };
        let url = Url::parse(&format!("http://{host}{slash}{written}?{query}")).unwrap();
        prop_assert_eq!(path(url.as_str()), url.path());
        let found = route(url.path());
        prop_assert_eq!(&found, &named(url.path()));
        seen.note_if(url.query().is_some(), "a query");
        seen.note(match found {
            Route::Channel(_, Action::Channel) => "Channel",
            Route::Channel(_, Action::Broadcast) => "Broadcast",
            Route::Channel(_, Action::Events) => "Events",
            Route::Channel(_, Action::Stats) => "Stats",
            Route::Health => "health",
            Route::File => "file",
            Route::Server => "the server",
        });
        Ok(())
    });
}
