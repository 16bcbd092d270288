//! Tokens that were changed or forged.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use proptest_support::{check, text};

/// Claims that permit more than [`CLAIMS`].
const WIDER: &str = r#"{"exp":4102444801,"subscribe":["*"],"publish":["*"]}"#;

/// A deployment with a key for each algorithm, and a valid token from each key.
fn deployment() -> (Access, Vec<String>) {
    let (edwards, elliptic) = (Signer::ed25519(1), Signer::p256(1));
    let (rsa, rsa_token) = rsa();
    let set = json!({"keys": [edwards.jwk(), elliptic.jwk(), rsa]}).to_string();
    let access = access(&[("JWT_SECRET", SECRET), ("JWT_KEYS", &set)]).unwrap();
    let tokens = vec![
        Signer::secret(SECRET.as_bytes()).sign(r#"{"alg":"HS256","typ":"JWT"}"#, CLAIMS),
        edwards.sign(r#"{"alg":"EdDSA"}"#, CLAIMS),
        elliptic.sign(r#"{"alg":"ES256"}"#, CLAIMS),
        rsa_token,
    ];
    (access, tokens)
}

#[test]
fn a_valid_token_of_each_algorithm_is_accepted() {
    let (access, tokens) = deployment();
    for token in tokens {
        let granted = Grant::from_token(Permission::Subscribe, "foo", 4_102_444_800_000, None);
        assert_eq!(subscribe(&access, &token), Ok(granted));
    }
}

#[derive(Clone, Debug)]
enum Change {
    /// Replace the character by the one this many places later in the alphabet of base64url.
    Next(u8),
    Replace(char),
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
        2 => characters().prop_map(Change::Replace),
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
            let index = alphabet.find(this).unwrap_or_default();
            let other = &alphabet[(index + usize::from(*by)) % 64..][..1];
            format!("{before}{other}{after}")
        }
        Change::Replace(character) => format!("{before}{character}{after}"),
        Change::Insert(character) => format!("{before}{character}{rest}"),
        Change::Remove => format!("{before}{after}"),
        Change::Cut => before.to_owned(),
    }
}

#[test]
fn a_token_with_one_changed_character_is_refused() {
    let (access, tokens) = deployment();
    let which = prop_oneof![12 => Just(0_usize), 3 => Just(1), 2 => Just(2), 1 => Just(3)];
    // Often change the last character of a part, because some of its bits may have no meaning.
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
fn a_mix_of_parts_of_tokens_is_refused() {
    let (access, tokens) = deployment();
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
    parts.extend(none.map(base64url));
    let other =
        Signer::secret(b"another secret, also of 32 bytes").sign(r#"{"alg":"HS256"}"#, WIDER);
    parts.extend(other.split('.').map(str::to_owned));
    let part = prop_oneof![
        2 => select(parts),
        1 => text(&["e30", "eyJ", "A", "=", "-", "_", "a.", " ", "."], 4),
    ];
    let several = prop::collection::vec(part, 0..5).prop_map(|parts| parts.join("."));
    // Two parts of one token, and the third part of the same or another token.
    let (whole, all) = (tokens.clone(), tokens.clone());
    let mixed = (0..4_usize, 0..4_usize, 0..3_usize).prop_map(move |(one, other, part)| {
        let mut parts: Vec<&str> = whole[one].split('.').collect();
        parts[part] = whole[other].split('.').nth(part).unwrap();
        parts.join(".")
    });
    check(
        &["a whole token", "refused"],
        prop_oneof![several, mixed],
        |text, seen| {
            let expected = all.contains(&text);
            seen.note(if expected { "a whole token" } else { "refused" });
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
fn a_token_longer_than_8192_characters_is_refused() {
    let access = access(&[("JWT_SECRET", SECRET)]).unwrap();
    let signer = Signer::secret(SECRET.as_bytes());
    // With about 6,050 characters in the claims, the whole token has 8,192.
    let length = prop_oneof![6_000..6_100_usize, 0..10_000_usize];
    check(&["fits", "too long"], length, |length, seen| {
        let claims = format!(
            r#"{{"exp":4102444800,"subscribe":["foo"],"_":"{}"}}"#,
            "x".repeat(length)
        );
        let token = signer.sign(r#"{"alg":"HS256"}"#, &claims);
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
