//! Properties of the parameters of streams and of pages of the history.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, edited, hidden, query_of, text};

const PIECES: &[&str] = &["0", "1", "9", "-", "+", " ", "\0", "é", "%", "&", ",", "\n"];

/// A number that does not fit into a `u64`.
const HUGE: &str = "99999999999999999999";

/// A text that is, or nearly is, the id of an event.
fn id() -> impl Strategy<Value = String> {
    let ids = edited("[1-9][0-9]{12}-(0|[1-9][0-9]{0,4})", PIECES);
    prop_oneof![4 => ids, 1 => Just(String::new()), 1 => text(PIECES, 8)]
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let others = ["0", "2", "100", "1000", "1001", "-1", "x", HUGE];
    let numbers = prop_oneof![
        2 => Just("1"),
        1 => Just(""),
        3 => prop::sample::select(others.to_vec()),
    ];
    let names = prop::sample::select(&["history", "catch_up", "limit", "LIMIT"][..]);
    let number = (names, numbers).prop_map(|(name, value)| (name.to_owned(), value.to_owned()));
    let ids = ["last_event_id", "lastEventId", "lastEventID", "after"];
    let names = prop::sample::select(ids.to_vec());
    let id = (names, id()).prop_map(|(name, value)| (name.to_owned(), value));
    prop::collection::vec(prop_oneof![number, id], 0..4)
}

/// The position in the last parameter that has one of `names` and is not empty.
fn last(pairs: &[(String, String)], names: &[&str]) -> Option<ReplayFrom> {
    let mut named = pairs.iter().rev();
    named.find_map(|(name, id)| names.contains(&name.as_str()).then(|| since(id))?)
}

/// The values of the parameters called `name`.
fn given<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let given = pairs.iter().filter(|(given, _)| given == name);
    given.map(|(_, value)| value.as_str()).collect()
}

/// The whole number in the parameter `name`, or an error if it is given twice or is not in the range.
fn whole(pairs: &[(String, String)], name: &str, least: u64, most: u64) -> Result<Option<u64>, ()> {
    match given(pairs, name)[..] {
        [] | [""] => Ok(None),
        [HUGE] if most == u64::MAX => Ok(Some(u64::MAX)),
        [value] => {
            let value = value.parse().map_err(|_| ())?;
            let fits = value >= least && value <= most;
            fits.then_some(Some(value)).ok_or(())
        }
        _ => Err(()),
    }
}

fn since(id: &str) -> Option<ReplayFrom> {
    let known = id.parse().map(ReplayFrom::After);
    (!id.is_empty()).then(|| known.unwrap_or(ReplayFrom::Unknown))
}

#[test]
fn a_stream_starts_where_its_parameters_say_and_no_id_is_an_error() {
    let header = prop::option::of(id());
    let classes = [
        "an error",
        "After",
        "Unknown",
        "Last",
        "Now",
        "catches up",
        "appended to last_event_id",
    ];
    let cases = (header, pairs(), hidden());
    check(&classes, cases, |(header, pairs, hidden), seen| {
        let query = query_of(&pairs, &hidden);
        let found = Subscription::read("foo", header.as_deref(), &query);
        let history = whole(&pairs, "history", 0, u64::MAX);
        let catch_up = whole(&pairs, "catch_up", 0, 1);
        let (Ok(history), Ok(catch_up)) = (history, catch_up) else {
            seen.note("an error");
            prop_assert!(matches!(found, Err(Problem::InvalidQuery(_))));
            return Ok(());
        };
        let appended = last(&pairs, &["lastEventId", "lastEventID"]);
        let own = last(&pairs, &["last_event_id"]);
        let both = appended.is_some() && own.is_some();
        seen.note_if(both, "appended to last_event_id");
        let expected = header
            .as_deref()
            .and_then(since)
            .or(appended)
            .or(own)
            .or(history.map(ReplayFrom::Last))
            .unwrap_or(ReplayFrom::Now);
        seen.note(match expected {
            ReplayFrom::After(_) => "After",
            ReplayFrom::Unknown => "Unknown",
            ReplayFrom::Last(_) => "Last",
            _ => "Now",
        });
        let catch_up = catch_up == Some(1);
        seen.note_if(catch_up, "catches up");
        let expected = Subscription {
            since: expected,
            catch_up,
        };
        prop_assert_eq!(found, Ok(expected));
        Ok(())
    });
}

#[test]
fn a_page_starts_where_its_parameters_say() {
    let classes = ["an error", "After", "Unknown", "Oldest", "a limit"];
    check(&classes, (pairs(), hidden()), |(pairs, hidden), seen| {
        let found = EventsQuery::read(&query_of(&pairs, &hidden));
        let Ok(limit) = whole(&pairs, "limit", 1, 1_000) else {
            seen.note("an error");
            prop_assert!(matches!(found, Err(Problem::InvalidQuery(_))));
            return Ok(());
        };
        seen.note_if(limit.is_some(), "a limit");
        let since = last(&pairs, &["after"]).unwrap_or(ReplayFrom::Oldest);
        seen.note(match since {
            ReplayFrom::After(_) => "After",
            ReplayFrom::Unknown => "Unknown",
            _ => "Oldest",
        });
        let limit = usize::try_from(limit.unwrap_or(100)).unwrap();
        prop_assert_eq!(found, Ok(EventsQuery { since, limit }));
        Ok(())
    });
}

#[test]
fn an_id_of_any_bytes_is_not_an_error() {
    let bytes = prop::collection::vec(any::<u8>(), 0..24);
    let classes = ["not UTF-8", "text"];
    check(&classes, bytes, |bytes, seen| {
        let is_text = std::str::from_utf8(&bytes).is_ok();
        seen.note(if is_text { "text" } else { "not UTF-8" });
        let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let expected = if bytes.is_empty() {
            ReplayFrom::Now
        } else {
            ReplayFrom::Unknown
        };
        for name in ["last_event_id", "lastEventId", "lastEventID"] {
            let found = Subscription::read("foo", None, &format!("{name}={encoded}"));
            prop_assert_eq!(found.map(|found| found.since), Ok(expected.clone()));
        }
        // The runtime makes a character from each byte of a header.
        let header: String = bytes.iter().copied().map(char::from).collect();
        prop_assert!(Subscription::read("foo", Some(&header), "").is_ok());
        Ok(())
    });
}
