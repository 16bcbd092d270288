//! Generates claims, and encodes them as JSON.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::NOW;
use proptest_support::text;

/// The value of a claim.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A time in milliseconds that a float holds exactly, and the notation of the number in JSON.
    Time(u64, &'static str),
    /// A time that no clock shows, as JSON.
    Far(&'static str),
    Text(String),
    List(Vec<Claim>),
    /// Any other JSON.
    Other(&'static str),
}

impl Claim {
    fn json(&self) -> String {
        match self {
            Self::Time(ms, form) => {
                let (seconds, rest) = (ms / 1_000, ms % 1_000);
                match (rest, *form) {
                    (0, "e") => format!("{seconds}e0"),
                    (0, ".") => format!("{seconds}.000"),
                    (0, _) => seconds.to_string(),
                    _ => format!("{seconds}.{rest:03}"),
                }
            }
            Self::Far(json) | Self::Other(json) => (*json).to_owned(),
            Self::Text(text) => json!(text).to_string(),
            Self::List(all) => {
                let all: Vec<String> = all.iter().map(Self::json).collect();
                format!("[{}]", all.join(","))
            }
        }
    }

    pub fn millis(&self) -> Option<u64> {
        match self {
            Self::Time(ms, _) => Some(*ms),
            Self::Far(text) => Some(if text.starts_with('-') { 0 } else { u64::MAX }),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The patterns in a valid list of patterns.
    pub fn patterns(&self) -> Option<Vec<&str>> {
        let Self::List(all) = self else {
            return None;
        };
        let patterns: Option<Vec<&str>> = all.iter().map(Self::text).collect();
        patterns.filter(|all| {
            all.iter()
                .all(|text| text.find('*').is_none_or(|at| at + 1 == text.len()))
        })
    }

    /// Whether the value is `text`, or a list of texts that contains it.
    pub fn names(&self, text: &str) -> bool {
        match self {
            Self::Text(other) => other == text,
            Self::List(all) => {
                let all: Option<Vec<&str>> = all.iter().map(Self::text).collect();
                all.is_some_and(|all| all.contains(&text))
            }
            _ => false,
        }
    }
}

/// Whether a pattern matches a channel id. Compares them character by character.
pub fn matches(pattern: &[u8], channel: &[u8]) -> bool {
    match (pattern, channel) {
        ([b'*'], _) | ([], []) => true,
        ([first, pattern @ ..], [other, channel @ ..]) => {
            first == other && matches(pattern, channel)
        }
        _ => false,
    }
}

/// The name and the value of a claim.
pub type Member = (&'static str, Claim);

/// Values that no claim may have.
fn wrong_values() -> impl Strategy<Value = Claim> {
    let others = [
        "null",
        "null",
        "null",
        "null",
        "true",
        "{}",
        r#"{"0":"foo"}"#,
        "[null]",
        "[[]]",
        r#"[["foo"]]"#,
        r#"["foo",1]"#,
    ];
    select(others.to_vec()).prop_map(Claim::Other)
}

fn time(from: u64, to: u64) -> impl Strategy<Value = Claim> {
    let forms = select(&["", "", "e", "."][..]);
    let quarters = prop_oneof![3 => Just(0_u64), 1 => 1..4_u64];
    (from..=to, quarters, forms)
        .prop_map(|(seconds, quarters, form)| Claim::Time(seconds * 1_000 + quarters * 250, form))
}

fn times(weights: (u32, u32)) -> impl Strategy<Value = Claim> {
    let (past, future) = weights;
    let far = [
        "253402300799000000",
        "18446744073709551615",
        "18446744073709551616",
        "1e300",
        "-1",
        "-1e300",
        "-0.5",
    ];
    let bad = [r#""4102444800""#, "1e400", "[4102444800]"];
    prop_oneof![
        past => time(NOW - 1_000_000, NOW - 1),
        6 => time(NOW - 1, NOW + 1),
        future => time(NOW + 1, NOW + 1_000_000_000),
        2 => select(far.to_vec()).prop_map(Claim::Far),
        2 => select(bad.to_vec()).prop_map(Claim::Other),
        3 => wrong_values(),
    ]
}

fn texts(texts: &'static [&'static str]) -> impl Strategy<Value = Claim> {
    let texts = prop_oneof![
        9 => select(texts).prop_map(str::to_owned),
        1 => text(texts, 3),
    ];
    texts.prop_map(Claim::Text)
}

fn patterns() -> impl Strategy<Value = Claim> {
    let pattern = text(&["a", "b", "a.b", "foo", "a", "b", "", ":"], 3);
    let pattern = prop_oneof![
        4 => pattern.clone(),
        4 => pattern.prop_map(|start| start + "*"),
        1 => Just("*".to_owned()),
    ];
    let pattern = prop_oneof![
        30 => pattern,
        1 => text(&["a", "*", "foo"], 4),
    ];
    let list = prop::collection::vec(pattern.prop_map(Claim::Text), 0..4).prop_map(Claim::List);
    prop_oneof![20 => list, 1 => wrong_values(), 1 => texts(&["foo", "*"])]
}

/// The claims of a token. Most of them are valid or nearly valid.
pub fn members() -> impl Strategy<Value = Vec<Member>> {
    let named = |name: &'static str, probability, claim: BoxedStrategy<Claim>| {
        prop::option::weighted(probability, claim.prop_map(move |claim| (name, claim)))
    };
    let issuer_or_audience = || {
        prop_oneof![
            16 => texts(&["here", "here", "here", "here", "here", "here", "there"]),
            2 => prop::collection::vec(texts(&["here", "there"]), 0..3).prop_map(Claim::List),
            1 => prop_oneof![Just(Claim::Other("null")), Just(Claim::Other("7")), Just(Claim::Other(r#"["here",1]"#))],
        ]
    };
    let others = ["Publish", "exp ", "scope", "jti", ""];
    let other = (
        select(others.to_vec()),
        prop_oneof![wrong_values(), patterns()],
    );
    let all = (
        named("exp", 0.97, times((3, 40)).boxed()),
        named("nbf", 0.5, times((24, 4)).boxed()),
        named(
            "sub",
            0.5,
            prop_oneof![12 => texts(&["alice", "é\n\"", "", "\0"]), 1 => wrong_values()].boxed(),
        ),
        named("publish", 0.7, patterns().boxed()),
        named("subscribe", 0.7, patterns().boxed()),
        named("iss", 0.95, issuer_or_audience().boxed()),
        named("aud", 0.95, issuer_or_audience().boxed()),
        prop::option::of(other),
    );
    let twice = prop::option::weighted(0.06, any::<Index>());
    (all, twice, any::<Index>()).prop_map(|((a, b, c, d, e, f, g, h), twice, first)| {
        let mut members: Vec<Member> = [a, b, c, d, e, f, g, h].into_iter().flatten().collect();
        if members.is_empty() {
            return members;
        }
        if let Some(twice) = twice {
            members.push(twice.get(&members).clone());
        }
        let length = members.len();
        members.rotate_left(first.index(length));
        members
    })
}

/// Encodes claims as JSON. The first name is written with an escape, which must make no difference.
pub fn json(members: &[Member]) -> String {
    let member = |(at, (name, claim)): (usize, &Member)| {
        let name = match name.chars().next() {
            Some(first) if at == 0 => format!("\\u{:04x}{}", u32::from(first), &name[1..]),
            _ => (*name).to_owned(),
        };
        format!("\"{name}\":{}", claim.json())
    };
    let members: Vec<String> = members.iter().enumerate().map(member).collect();
    format!("{{{}}}", members.join(", "))
}
