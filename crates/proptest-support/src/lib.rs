//! What the properties of everything that reads text from outside have in common. The properties themselves are next to
//! what they are of, each time in a module called `outside`.
//!
//! They are tried with 1,000 cases each, or as many as `PROPTEST_CASES` says:
//! `PROPTEST_CASES=1000000 cargo test --locked --lib outside`, with `-- --nocapture` to see which cases there were.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestCaseResult, TestRunner};

/// The classes of the cases that a property has met.
#[derive(Default)]
pub struct Seen(RefCell<BTreeMap<&'static str, u32>>);

impl Seen {
    /// The case is one of `class`, too.
    pub fn note(&self, class: &'static str) {
        *self.0.borrow_mut().entry(class).or_default() += 1;
    }

    /// The same, where `is` says so.
    pub fn note_if(&self, is: bool, class: &'static str) {
        if is {
            self.note(class);
        }
    }
}

/// Tries `property` on what `strategy` makes. A property that never meets what it is about says nothing: of each of
/// `classes` there has to be a case in 1,000, or this fails, too.
#[track_caller]
pub fn check<S: Strategy>(
    classes: &[&'static str],
    strategy: S,
    property: impl Fn(S::Value, &Seen) -> TestCaseResult,
) {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 1_000;
    }
    config.source_file = Some(Location::caller().file());
    let cases = config.cases;
    let seen = Seen::default();
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&strategy, |case| property(case, &seen)) {
        panic!("{error}\n{runner}");
    }
    let seen = seen.0.into_inner();
    let thread = std::thread::current();
    println!("{}: {cases} cases: {seen:?}", thread.name().unwrap_or(""));
    for class in classes {
        let met = seen.get(class).copied().unwrap_or_default();
        assert!(met >= cases / 1_000, "{class:?} in {met} of {cases} cases");
    }
}

/// Up to `most` pieces in a row: most of them of `pieces`, some any character.
pub fn text(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> + Clone {
    prop::collection::vec(piece(pieces), 0..=most).prop_map(|pieces| pieces.concat())
}

fn piece(pieces: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        15 => select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

/// `texts`, half of them with one or two characters inserted, replaced or taken out: nearly what they were.
pub fn edited(
    texts: impl Strategy<Value = String>,
    pieces: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let edit = (0..3_u8, any::<Index>(), piece(pieces));
    let edits = prop_oneof![
        1 => Just(Vec::new()),
        1 => prop::collection::vec(edit, 1..=2),
    ];
    (texts, edits).prop_map(|(mut text, edits)| {
        for (kind, place, piece) in edits {
            let at = place.index(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            let length = text[at..].chars().next().map_or(0, char::len_utf8);
            match kind {
                0 => text.insert_str(at, &piece),
                1 => text.replace_range(at..at + length, &piece),
                _ => text.replace_range(at..at + length, ""),
            }
        }
        text
    })
}

/// A number near `edges`, where mistakes are, or any other.
pub fn number_near(edges: &'static [u64]) -> impl Strategy<Value = u64> + Clone {
    prop_oneof![
        3 => (select(edges), 0..=2_u64, any::<bool>()).prop_map(|(edge, by, more)| {
            if more { edge.saturating_add(by) } else { edge.saturating_sub(by) }
        }),
        1 => any::<u64>(),
    ]
}

/// What percent-encoding (RFC 3986) hides: `%` and two hexadecimal digits are a byte, everything else is itself.
pub fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        rest = match rest {
            [] => return decoded,
            [b'%', high, low, after @ ..] if digit(high).is_some() && digit(low).is_some() => {
                let byte = digit(high).unwrap() * 16 + digit(low).unwrap();
                decoded.push(u8::try_from(byte).unwrap());
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}

/// `text` with some of its bytes percent-encoded: those that `hidden` says in turn, and those that `plain` does not
/// allow.
pub fn percent_encoded(text: &str, hidden: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::new();
    let mut hidden = hidden.iter().cycle();
    for byte in text.bytes() {
        match hidden.next() {
            Some(1) => out.push_str(&format!("%{byte:02X}")),
            Some(2) => out.push_str(&format!("%{byte:02x}")),
            _ if plain(byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Parameters as a form sends them; `hidden` as above, and a space may be `+`.
pub fn query_of(pairs: &[(String, String)], hidden: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -._~*:@/?".contains(&byte);
    let encoded = |text: &String| percent_encoded(text, hidden, plain).replace(' ', "+");
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// For the two above: which bytes to encode though they need not be.
pub fn hidden() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..6_u8, 1..9)
}
