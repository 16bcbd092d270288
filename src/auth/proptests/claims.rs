//! Claims, in tokens with valid signatures.

use proptest::prelude::*;
use proptest::sample::select;

use super::members::{Claim, Member, json, matches, members};
use super::*;
use proptest_support::{check, edited};

const HEADER: &str = r#"{"alg":"HS256"}"#;

/// The expected result for a token with these claims. `required` is the value of `JWT_ISSUER` and `JWT_AUDIENCE`, and
/// is empty if they are not set. The error is the name of the rule that the token breaks.
fn expected(
    members: &[Member],
    permission: Permission,
    channel: &str,
    required: &str,
) -> Result<Grant, &'static str> {
    let given = |name: &str| -> Result<Option<&Claim>, &'static str> {
        let mut given = members.iter().filter(|(other, _)| *other == name);
        let first = given.next().map(|(_, claim)| claim);
        if given.next().is_some() {
            Err("given twice")
        } else {
            Ok(first)
        }
    };
    for name in ["exp", "nbf", "sub", "publish", "subscribe", "iss", "aud"] {
        given(name)?;
    }
    let expires = given("exp")?.and_then(Claim::millis).ok_or("no exp")?;
    let not_before = given("nbf")?
        .map(|claim| claim.millis().ok_or("bad nbf"))
        .transpose()?;
    let subject = given("sub")?
        .map(|claim| claim.text().ok_or("bad sub"))
        .transpose()?;
    given("iss")?
        .map(|claim| claim.text().ok_or("bad iss"))
        .transpose()?;
    let mut permitted = Vec::new();
    for name in ["publish", "subscribe"] {
        let patterns = given(name)?
            .map(|claim| claim.patterns().ok_or("bad patterns"))
            .transpose()?;
        if name == permission.claim() {
            permitted = patterns.unwrap_or_default();
        }
    }
    for name in ["iss", "aud"] {
        let matches = given(name)?.is_some_and(|claim| claim.names(required));
        if !required.is_empty() && !matches {
            return Err("wrong claim");
        }
    }
    if NOW * 1_000 >= expires {
        return Err("expired");
    }
    if not_before.is_some_and(|from| from > NOW * 1_000) {
        return Err("not yet");
    }
    if !permitted
        .iter()
        .any(|pattern| matches(pattern.as_bytes(), channel.as_bytes()))
    {
        return Err("forbidden");
    }
    let subject = subject.map(str::to_owned);
    Ok(Grant::from_token(permission, channel, expires, subject))
}

#[test]
fn a_token_is_granted_exactly_what_the_rules_for_claims_permit() {
    let signer = Signer::secret(SECRET.as_bytes());
    let lax = access(&[("JWT_SECRET", SECRET)]).unwrap();
    let strict = access(&[
        ("JWT_SECRET", SECRET),
        ("JWT_ISSUER", "here"),
        ("JWT_AUDIENCE", "here"),
    ])
    .unwrap();
    let channels = select(&["a", "ab", "foo", "a.b", "b:a", "aaa", "Foo"][..]);
    let permissions = select(&[Permission::Publish, Permission::Subscribe][..]);
    let classes = [
        "granted",
        "forbidden",
        "expired",
        "not yet",
        "wrong claim",
        "given twice",
        "no exp",
        "bad nbf",
        "bad sub",
        "bad iss",
        "bad patterns",
    ];
    let cases = (members(), permissions, channels, any::<bool>());
    check(
        &classes,
        cases,
        |(members, permission, channel, is_strict), seen| {
            let token = signer.sign(HEADER, &json(&members));
            let (access, required) = if is_strict {
                (&strict, "here")
            } else {
                (&lax, "")
            };
            let found = grant(access, permission, channel, &token, NOW * 1_000);
            let expected = expected(&members, permission, channel, required);
            seen.note(expected.as_ref().err().unwrap_or(&"granted"));
            match expected {
                Ok(grant) => prop_assert_eq!(found, Ok(grant)),
                Err("forbidden") => prop_assert_eq!(found, Err(Denied::Forbidden(permission))),
                Err("expired") => prop_assert_eq!(found, Err(Denied::Invalid(TokenError::Expired))),
                Err("not yet") => prop_assert_eq!(found, Err(Denied::Invalid(TokenError::NotYet))),
                Err(why) => {
                    let known = match &found {
                        Err(Denied::Invalid(TokenError::Claims(_))) => why != "wrong claim",
                        Err(Denied::Invalid(TokenError::WrongClaim { .. })) => why == "wrong claim",
                        _ => false,
                    };
                    // A required claim that is missing or has the wrong type is an error of its own.
                    prop_assert!(
                        known || why == "wrong claim" && matches!(found, Err(Denied::Invalid(_))),
                        "{why}: {found:?}"
                    );
                }
            }
            Ok(())
        },
    );
}

#[test]
fn edited_claims_are_accepted_only_if_they_are_still_an_object_that_permits_it() {
    let signer = Signer::secret(SECRET.as_bytes());
    let access = access(&[("JWT_SECRET", SECRET)]).unwrap();
    let whole = select(
        &[
            r#"{"exp":4102444800,"subscribe":["foo"]}"#,
            r#"{"subscribe":["a","fo*"],"publish":[],"nbf":5,"exp":1.7953541635e9,"sub":"a\"b"}"#,
            r#"[["*"],["*"],4102444800,5,"alice"]"#,
            r#"[[],["*"],4102444800,5,"alice"]"#,
            r#"{"exp":4102444800,"subscribe":["*"],"x":{"exp":1,"y":[{"subscribe":null}]}}"#,
        ][..],
    );
    let pieces = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "0",
        "9",
        "-",
        "e",
        ".",
        "*",
        "\\",
        "null",
        "\"exp\":0,",
        "é",
        " ",
        "\0",
    ];
    let cases = edited(whole.prop_map(str::to_owned), pieces);
    check(
        &["granted", "not JSON", "not an object", "refused"],
        cases,
        |claims, seen| {
            let json = serde_json::from_str::<Value>(&claims);
            let is_object = json.as_ref().is_ok_and(Value::is_object);
            let Ok(granted) = subscribe(&access, &signer.sign(HEADER, &claims)) else {
                seen.note(match json {
                    Err(_) => "not JSON",
                    Ok(_) if !is_object => "not an object",
                    Ok(_) => "refused",
                });
                return Ok(());
            };
            seen.note("granted");
            prop_assert!(is_object, "{claims}");
            let json = json.unwrap();
            let expires = json["exp"].as_f64().unwrap();
            prop_assert!(expires > NOW as f64);
            prop_assert!(
                (expires * 1_000.0 - granted.expires().unwrap() as f64).abs() < 1.0
                    || expires > 1e15
            );
            prop_assert!(
                json.get("nbf")
                    .is_none_or(|from| from.as_f64().unwrap() <= NOW as f64)
            );
            let subject = json.get("sub").map(|subject| subject.as_str().unwrap());
            prop_assert_eq!(granted.subject(), subject);
            let mut patterns = json["subscribe"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pattern| pattern.as_str().unwrap());
            prop_assert!(patterns.any(|pattern| matches(pattern.as_bytes(), b"foo")));
            Ok(())
        },
    );
}
