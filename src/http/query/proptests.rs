//! Properties of the parameters of a query.

use proptest::prelude::*;
use worker::Url;

use super::*;
use crate::http::url::query_of;
use proptest_support::{check, edited, hidden, query_of as form, text};

const VALUES: &[&str] = &[
    "a", "b", " ", "+", "%", "&", "=", "#", "?", "é", "\0", "\n", "%61",
];

#[test]
fn the_values_that_a_form_sends_are_read_unchanged() {
    let names = prop::sample::select(&["event", "token", "history", "a b", "é", ""][..]);
    let pair = (names.prop_map(str::to_owned), text(VALUES, 6));
    let pairs = prop::collection::vec(pair, 0..6);
    let classes = ["none", "one", "several"];
    check(&classes, (pairs, hidden()), |(pairs, hidden), seen| {
        let query = form(&pairs, &hidden);
        for name in ["event", "a b", "é"] {
            let given = pairs.iter().filter(|(given, _)| given == name);
            let given: Vec<_> = given.map(|(_, value)| Some(value.clone())).collect();
            prop_assert_eq!(values(&query, &[name]).collect::<Vec<_>>(), given.clone());
            let found = value(&query, name);
            match &given[..] {
                [] => prop_assert_eq!(found, Ok(None)),
                [one] => prop_assert_eq!(found, Ok(one.clone())),
                _ => prop_assert!(matches!(found, Err(Problem::InvalidQuery(_)))),
            }
            seen.note(["none", "one", "several"][given.len().min(2)]);
        }
        Ok(())
    });
}

const RAW: &[&str] = &[
    "event", "=", "&", "a", "+", "%", "%6", "%65vent", "%C3%A9", "%c3", "%ff", "%FF%FE", "é", "#",
    "?", "/", " ", "'", "%00", "\t", ";", "%26", "%3D", "%2B",
];

/// Parameters, some of them called `event`, and other text between them.
fn raw() -> impl Strategy<Value = String> {
    let names = [
        "event", "%65vent", "events", "eve", "a", "%ff", "event%20", "",
    ];
    let names = prop::sample::select(names.to_vec());
    let equals = prop_oneof![3 => Just("="), 1 => Just("")];
    let pair = (names, equals, text(RAW, 3))
        .prop_map(|(name, equals, value)| [name, equals, &value].concat());
    edited(
        prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&")),
        RAW,
    )
}

/// A URL as the runtime writes it, with the parameters that a URL library finds in it.
fn url(query: &str) -> (String, Vec<(String, String)>) {
    let url = Url::parse(&format!("http://a.example/b?{query}")).unwrap();
    let pairs = url.query_pairs().into_owned().collect();
    (url.into(), pairs)
}

#[test]
fn any_query_is_read_as_a_url_library_reads_it() {
    let classes = ["none", "one", "several", "not UTF-8", "a fragment"];
    check(&classes, raw(), |text, seen| {
        let (url, pairs) = url(&text);
        seen.note_if(url.contains('#'), "a fragment");
        let found: Vec<_> = values(query_of(&url), &["event"]).collect();
        seen.note(["none", "one", "several"][found.len().min(2)]);
        seen.note_if(found.contains(&None), "not UTF-8");
        let expected: Vec<_> = pairs
            .into_iter()
            .filter(|(name, _)| name == "event")
            .map(|(_, value)| value)
            .collect();
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.into_iter().zip(expected) {
            match found {
                Some(value) => prop_assert_eq!(value, expected),
                None => prop_assert!(expected.contains(char::REPLACEMENT_CHARACTER)),
            }
        }
        Ok(())
    });
}

#[test]
fn a_number_is_digits_in_a_range_however_large() {
    let digits = &[
        "0", "1", "9", "5", "000", "99999999", "+", "-", ".", " ", "٣", "e", "x", "\0",
    ];
    let texts = prop_oneof![
        2 => "[0-9]{1,4}",
        1 => "[0-9]{18,22}",
        2 => text(digits, 4),
    ];
    let ranges = prop_oneof![
        Just((0, u64::MAX)),
        Just((1, 1_000)),
        (0..500_u64, 0..500_u64).prop_map(|(least, more)| (least, least + more)),
    ];
    let classes = [
        "in the range",
        "out of range",
        "too large for u64",
        "no number",
        "empty",
    ];
    let cases = (texts, ranges, hidden());
    check(&classes, cases, |(text, (least, most), hidden), seen| {
        let query = form(&[("n".to_owned(), text.clone())], &hidden);
        if text.is_empty() {
            seen.note("empty");
            prop_assert_eq!(number(&query, "n", least, most), Ok(None));
            return Ok(());
        }
        let digits = text.chars().all(|c| "0123456789".contains(c));
        let value = digits.then(|| text.parse::<u128>().unwrap_or(u128::MAX));
        let expected = value.map(|value| u64::try_from(value).unwrap_or(u64::MAX));
        let expected = expected.filter(|value| *value >= least && *value <= most);
        seen.note(match (value, expected) {
            (None, _) => "no number",
            (Some(value), _) if value > u64::MAX.into() => "too large for u64",
            (_, None) => "out of range",
            _ => "in the range",
        });
        prop_assert_eq!(number("a=7", "n", least, most), Ok(None));
        match number(&query, "n", least, most) {
            Ok(found) => prop_assert_eq!(found, expected),
            Err(Problem::InvalidQuery(detail)) => {
                prop_assert_eq!(expected, None);
                prop_assert!(detail.contains("\"n\""));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
        Ok(())
    });
}

#[test]
fn without_removes_the_named_parameters_and_no_others() {
    check(&["removed", "not there"], raw(), |text, seen| {
        let (url, pairs) = url(&text);
        let without = without(query_of(&url), "event");
        let rest = Url::parse(&format!("http://a.example/b?{without}")).unwrap();
        let left: Vec<_> = rest.query_pairs().into_owned().collect();
        if pairs.iter().all(|(name, _)| name != "event") {
            seen.note("not there");
            prop_assert_eq!(&without, query_of(&url));
            return Ok(());
        }
        seen.note("removed");
        prop_assert_eq!(values(&without, &["event"]).count(), 0);
        let others = pairs.into_iter().filter(|(name, _)| name != "event");
        prop_assert_eq!(left, others.collect::<Vec<_>>());
        Ok(())
    });
}
