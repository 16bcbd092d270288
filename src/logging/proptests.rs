//! Properties of log lines with values and errors that come from outside of the program.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, text};

const PIECES: &[&str] = &[
    "\n",
    "\r",
    "\u{1b}[2J",
    "\0",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{2067}",
    "\u{7f}",
    "é",
    "TypeError: ",
    "http://a/",
    "http://a b/",
    "?",
    "?",
    "?x=y ",
    "%3F",
    " ",
    "id=1",
    "\\",
    "\"",
];

fn is_one_line(line: &str) -> bool {
    let is_escaped = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
    !line.contains(is_escaped) && !line.contains(['\u{2066}', '\u{2067}'])
}

#[test]
fn a_value_is_logged_on_one_line() {
    let classes = ["plain", "escaped", "cut"];
    check(&classes, text(PIECES, 90), |value, seen| {
        let shown = Line::new("a").field("b", &value).0;
        prop_assert!(is_one_line(&shown), "{shown:?}");
        prop_assert!(is_one_line(&Line::payload(&value, &value).0));
        seen.note(match shown.strip_prefix("a: b=") {
            Some(shown) if shown == value => "plain",
            Some(shown) if shown.ends_with('…') => "cut",
            _ => "escaped",
        });
        Ok(())
    });
}

#[test]
fn an_error_is_logged_without_the_token_in_a_query() {
    let token = "eyJ0.eyJ1.SECRET";
    let cases = (text(PIECES, 12), text(PIECES, 12));
    check(
        &["one query", "several queries"],
        cases,
        |(before, after), seen| {
            let error = format!("{before}?channel=foo&token={token}{after}");
            let shown = Line::new("request failed").error(&error).0;
            prop_assert!(is_one_line(&shown), "{shown:?}");
            prop_assert!(
                !shown.contains("SECRET") && !shown.contains("eyJ"),
                "{shown:?}"
            );
            // The text before the first query is still there.
            let first = before.split('?').next().unwrap_or_default();
            let keeps_first = shown.contains(&printable(first).replace('…', ""));
            prop_assert!(keeps_first, "{shown:?}");
            let several = before.contains('?');
            seen.note(if several {
                "several queries"
            } else {
                "one query"
            });
            Ok(())
        },
    );
}
