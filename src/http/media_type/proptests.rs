//! Properties of media types in headers.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, text};

const TYPES: &[&str] = &[
    "text/event-stream",
    "text/html",
    "*/*",
    "text/*",
    "application/json",
    "text/event-streams",
    "xtext/event-stream",
    "text/event",
    "text /event-stream",
    "",
];

fn white() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["", "", " ", "\t", "  "][..])
}

/// A media range in one of many spellings, and whether it names event streams.
fn range() -> impl Strategy<Value = (String, bool)> {
    let parameters = text(
        &[";", "q=0.9", "charset=utf-8", " ", "=", "text/event-stream"],
        4,
    )
    .prop_map(|text| text.replace(',', ""));
    let cases = prop::collection::vec(any::<bool>(), 1..8);
    let names = prop::sample::select(TYPES);
    (names, cases, white(), white(), parameters).prop_map(
        |(name, cases, before, after, parameters)| {
            let upper = cases.iter().cycle();
            let spelled: String = name
                .chars()
                .zip(upper)
                .map(|(c, upper)| if *upper { c.to_ascii_uppercase() } else { c })
                .collect();
            let parameters = if parameters.is_empty() {
                parameters
            } else {
                format!(";{parameters}")
            };
            let is_stream = name == TYPES[0];
            (format!("{before}{spelled}{after}{parameters}"), is_stream)
        },
    )
}

#[test]
fn a_stream_is_accepted_wherever_accept_names_it_and_however_it_is_spelled() {
    let ranges = prop::collection::vec(range(), 0..4);
    let classes = ["a stream", "no stream", "not the first"];
    check(&classes, ranges, |ranges, seen| {
        let expected = ranges.iter().any(|(_, is_stream)| *is_stream);
        let first = ranges.first().is_some_and(|(_, is_stream)| *is_stream);
        seen.note(if expected { "a stream" } else { "no stream" });
        seen.note_if(expected && !first, "not the first");
        for (range, is_stream) in &ranges {
            prop_assert_eq!(is(range, sse::MEDIA_TYPE), *is_stream);
        }
        let accept: Vec<_> = ranges.into_iter().map(|(range, _)| range).collect();
        prop_assert_eq!(accepts_stream(&accept.join(",")), expected);
        Ok(())
    });
}

#[test]
fn a_stream_is_accepted_only_if_a_whole_media_range_is_its_type() {
    let pieces = &[
        "text/event-stream",
        "text/event-stream",
        "Text/",
        "event-stream",
        ",",
        ",",
        ";",
        " ",
        "*",
        "/",
        "\"",
        "q=0",
        "é",
        "\0",
    ];
    check(
        &["a stream", "no stream"],
        text(pieces, 6),
        |accept, seen| {
            // The name has to stand between a comma and a comma or semicolon, with optional white space.
            let lower = format!(",{},", accept.to_ascii_lowercase());
            let expected = lower.match_indices(sse::MEDIA_TYPE).any(|(at, name)| {
                let before = lower[..at].trim_end();
                let after = lower[at + name.len()..].trim_start();
                before.ends_with(',') && after.starts_with([',', ';'])
            });
            seen.note(if expected { "a stream" } else { "no stream" });
            prop_assert_eq!(accepts_stream(&accept), expected);
            Ok(())
        },
    );
}

#[test]
fn the_charset_of_a_type_is_found_however_it_is_written() {
    let charsets = [
        ("utf-8", true),
        ("UTF8", true),
        ("Us-Ascii", true),
        ("", true),
        ("utf-16", false),
        ("latin1", false),
        ("utf-8-", false),
    ];
    let others = prop::sample::select(&["", "a=b", "a=\";\"", "a=\"\\\"\"", "charsets=x", "a"][..]);
    let names = prop::sample::select(&["charset", "Charset", " charset ", "\tCHARSET"][..]);
    let cases = (
        prop::sample::select(TYPES),
        others.clone(),
        prop::option::of((names, prop::sample::select(charsets.to_vec()))),
        others,
        (white(), any::<bool>(), any::<bool>()),
    );
    let classes = ["no charset", "UTF-8", "another charset", "quoted"];
    check(
        &classes,
        cases,
        |(name, before, charset, after, (space, is_quoted, is_escaped)), seen| {
            let parameter = charset.map(|(name, (charset, _))| {
                let escaped = if is_quoted && is_escaped { "\\" } else { "" };
                let quote = if is_quoted { "\"" } else { "" };
                let charset = if charset.is_empty() {
                    String::new()
                } else {
                    format!("{escaped}{charset}")
                };
                format!("{name}={space}{quote}{charset}{quote}{space}")
            });
            let content_type = [
                name.to_owned(),
                before.to_owned(),
                parameter.unwrap_or_default(),
                after.to_owned(),
            ];
            let found = other_charset(&content_type.join(";"));
            let expected = charset
                .filter(|(_, (_, is_utf_8))| !is_utf_8)
                .map(|(_, (charset, _))| charset.to_owned());
            seen.note(match (charset, &expected) {
                (None, _) => "no charset",
                (_, None) => "UTF-8",
                (_, Some(_)) => "another charset",
            });
            seen.note_if(charset.is_some() && is_quoted, "quoted");
            prop_assert_eq!(found, expected);
            Ok(())
        },
    );
}

#[test]
fn any_content_type_has_at_most_one_charset_that_it_names() {
    let pieces = &[
        "text/plain",
        ";",
        ";",
        "charset",
        "charset=",
        "=",
        "\"",
        "\\",
        ",",
        " ",
        "utf-16",
        "utf-8",
        "é",
        "\0",
    ];
    check(
        &["none", "a charset"],
        text(pieces, 12),
        |content_type, seen| {
            let found = other_charset(&content_type);
            seen.note(if found.is_some() { "a charset" } else { "none" });
            if let Some(charset) = found {
                prop_assert!(content_type.to_ascii_lowercase().contains("charset"));
                prop_assert!(!charset.is_empty() && !charset.eq_ignore_ascii_case("utf-8"));
            }
            Ok(())
        },
    );
}
