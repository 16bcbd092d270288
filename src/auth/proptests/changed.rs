//! Of tokens that somebody has changed, or made up.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use proptest_support::{check, text};

/// What a thief would like to have.
const WIDER: &str = r#"{"exp":4102444801,"subscribe":["*"],"publish":["*"]}"#;

/// A deployment with a key of each kind, and a valid token of each.
fn valid() -> (Access, Vec<String>) {
    let (edwards, elliptic) = (Signer::ed25519(1), Signer::p256(1));
    let (rsa, rsa_token) = rsa();
    let set = json!({"keys": [edwards.jwk(), elliptic.jwk(), rsa]}).to_string();
    let access = read(&[("JWT_SECRET", SECRET), ("JWT_KEYS", &set)]).unwrap();
    let tokens = vec![
        Signer::secret(SECRET.as_bytes()).token(r#"{"alg":"HS256","typ":"JWT"}"#, CLAIMS),
        edwards.token(r#"{"alg":"EdDSA"}"#, CLAIMS),
        elliptic.token(r#"{"alg":"ES256"}"#, CLAIMS),
        rsa_token,
    ];
    (access, tokens)
}

#[test]
fn a_token_of_each_kind_is_valid() {
    let (access, tokens) = valid();
    for token in tokens {
        let expires = Some(4_102_444_800_000);
        let subject = None;
        assert_eq!(subscribe(&access, &token), Ok(Grant { expires, subject }));
    }
}

#[derive(Clone, Debug)]
enum Change {
    /// The character there becomes another one of base64.
    Next(u8),
    Becomes(char),
    Insert(char),
    Remove,
    Cut,
}

fn change() -> impl Strategy<Value = Change> {
    let characters = || {
        prop_oneof![
            4 => select(b"ABCDEFGHabcdefgh0123456789-_.=+/ ".to_vec()).prop_map(char::from),
            1 => any::<char>(),
        ]
    };
    prop_oneof![
        4 => (1..64_u8).prop_map(Change::Next),
        2 => characters().prop_map(Change::Becomes),
        1 => characters().prop_map(Change::Insert),
        1 => Just(Change::Remove),
        1 => Just(Change::Cut),
    ]
}

fn changed(token: &str, at: usize, change: &Change) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (before, rest) = token.split_at(at);
    let (this, after) = rest.split_at(1);
    match change {
        Change::Next(by) => {
            let place = alphabet.find(this).unwrap_or_default();
            let other = &alphabet[(place + usize::from(*by)) % 64..][..1];
            format!("{before}{other}{after}")
        }
        Change::Becomes(character) => format!("{before}{character}{after}"),
        Change::Insert(character) => format!("{before}{character}{rest}"),
        Change::Remove => format!("{before}{after}"),
        Change::Cut => before.to_owned(),
    }
}

#[test]
fn a_token_that_was_changed_anywhere_is_refused() {
    let (access, tokens) = valid();
    let which = prop_oneof![12 => Just(0_usize), 3 => Just(1), 2 => Just(2), 1 => Just(3)];
    // The last characters of a part are those of which not every bit counts.
    let place = prop_oneof![3 => any::<Index>().prop_map(Some), 1 => Just(None)];
    let classes = [
        "header",
        "claims",
        "signature",
        "the last character",
        "HS256",
        "RS256",
    ];
    let cases = (which, place, 0..3_usize, change());
    check(&classes, cases, |(which, place, part, change), seen| {
        let token = &tokens[which];
        let ends: Vec<usize> = token
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([token.len()])
            .collect();
        let at = place.map_or(ends[part] - 1, |place| place.index(token.len()));
        let changed = changed(token, at, &change);
        seen.note(["header", "claims", "signature"][ends.iter().filter(|end| **end < at).count()]);
        seen.note_if(place.is_none(), "the last character");
        seen.note_if(which == 0, "HS256");
        seen.note_if(which == 3, "RS256");
        let found = subscribe(&access, &changed);
        if changed == *token {
            prop_assert!(found.is_ok());
        } else {
            prop_assert!(
                matches!(found, Err(Denied::Invalid(_))),
                "{changed}: {found:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn parts_of_tokens_are_none() {
    let (access, tokens) = valid();
    let mut parts: Vec<String> = tokens
        .iter()
        .flat_map(|token| token.split('.'))
        .map(str::to_owned)
        .collect();
    let none = [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        WIDER,
        "",
    ];
    parts.extend(none.map(base64));
    let other =
        Signer::secret(b"another secret, also of 32 bytes").token(r#"{"alg":"HS256"}"#, WIDER);
    parts.extend(other.split('.').map(str::to_owned));
    let part = prop_oneof![
        2 => select(parts),
        1 => text(&["e30", "eyJ", "A", "=", "-", "_", "a.", " ", "."], 4),
    ];
    let several = prop::collection::vec(part, 0..5).prop_map(|parts| parts.join("."));
    // Near a whole token: two parts of one, and a third that need not be.
    let (whole, all) = (tokens.clone(), tokens.clone());
    let mixed = (0..4_usize, 0..4_usize, 0..3_usize).prop_map(move |(one, other, part)| {
        let mut parts: Vec<&str> = whole[one].split('.').collect();
        parts[part] = whole[other].split('.').nth(part).unwrap();
        parts.join(".")
    });
    check(
        &["a token", "none"],
        prop_oneof![several, mixed],
        |text, seen| {
            let expected = all.contains(&text);
            seen.note(if expected { "a token" } else { "none" });
            let found = subscribe(&access, &text);
            if expected {
                prop_assert!(found.is_ok());
            } else {
                prop_assert!(
                    matches!(found, Err(Denied::Invalid(_))),
                    "{text}: {found:?}"
                );
            }
            Ok(())
        },
    );
}

#[test]
fn a_token_has_a_length_that_it_may_have() {
    let access = read(&[("JWT_SECRET", SECRET)]).unwrap();
    let signer = Signer::secret(SECRET.as_bytes());
    // Three quarters of 8,192, less header and signature, are near 6,050.
    let length = prop_oneof![6_000..6_100_usize, 0..10_000_usize];
    check(&["fits", "too long"], length, |length, seen| {
        let claims = format!(
            r#"{{"exp":4102444800,"subscribe":["foo"],"_":"{}"}}"#,
            "x".repeat(length)
        );
        let token = signer.token(r#"{"alg":"HS256"}"#, &claims);
        let fits = token.len() <= 8_192;
        seen.note(if fits { "fits" } else { "too long" });
        match subscribe(&access, &token) {
            Ok(_) => prop_assert!(fits),
            Err(denied) => {
                prop_assert_eq!(denied, Denied::Invalid(TokenError::TooLong));
                prop_assert!(!fits);
            }
        }
        Ok(())
    });
}
