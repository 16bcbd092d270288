//! Of `JWT_KEYS`.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, edited, text};

const IDS: &[Option<&str>] = &[None, None, Some("a"), Some("b")];

/// What stands in a set.
#[derive(Clone, Debug)]
struct Entry {
    jwk: Value,
    /// Which key it is, and how it is called, where it can verify tokens.
    usable: Option<(usize, Option<&'static str>)>,
    /// Whether it may be usable all the same, as another key.
    damaged: bool,
}

fn signers() -> [Signer; 3] {
    [Signer::ed25519(1), Signer::ed25519(2), Signer::p256(1)]
}

/// Keys that verify tokens here, and the algorithm of each.
fn good() -> Vec<(Value, &'static str)> {
    let [one, two, elliptic] = signers().map(|signer| {
        let mut jwk = signer.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    });
    vec![
        (one, "EdDSA"),
        (two, "EdDSA"),
        (elliptic, "ES256"),
        (rsa().0, "RS256"),
    ]
}

/// Keys that do not, whatever else is said of them.
fn bad() -> impl Strategy<Value = Value> {
    let short = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..250),
        prop::collection::vec(any::<u8>(), 250..256),
    ];
    let edwards = prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut x| {
        if x.len() == 32 {
            x.pop();
        }
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64(x)})
    });
    prop_oneof![
        Just(json!({"kty": "oct", "k": base64(SECRET)})),
        Just(json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"})),
        Just(json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})),
        short.prop_map(|n| json!({"kty": "RSA", "e": "AQAB", "n": base64(n)})),
        edwards,
    ]
}

/// Keys of the right size, and nearly, with anything in them.
fn damaged() -> impl Strategy<Value = Value> {
    let bytes = |length| prop::collection::vec(any::<u8>(), length).prop_map(base64);
    let [edwards, _, elliptic] = signers().map(|signer| signer.jwk());
    let other = |coordinate: &Value| {
        let right = coordinate.as_str().unwrap().to_owned();
        let pieces = &["A", "_", "-", "0", "=", "+", "é", "AAAA"];
        edited(Just(right.clone()), pieces)
            .prop_map(move |text| if text == right { text + "A" } else { text })
    };
    let (x, y) = (other(&edwards["x"]), other(&elliptic["y"]));
    prop_oneof![
        bytes(32..33_usize).prop_map(|x| json!({"kty": "OKP", "crv": "Ed25519", "x": x})),
        x.prop_map(|x| json!({"kty": "OKP", "crv": "Ed25519", "x": x})),
        y.prop_map(move |y| json!({"kty": "EC", "crv": "P-256", "x": elliptic["x"], "y": y})),
        (bytes(250..530), bytes(0..10)).prop_map(|(n, e)| json!({"kty": "RSA", "e": e, "n": n})),
    ]
}

/// What is said of a key, beside itself, and whether it may verify tokens then; `ALG` is its own.
const MORE: &[(&str, bool)] = &[
    (r#"{}"#, true),
    (r#"{}"#, true),
    (r#"{}"#, true),
    (r#"{"use": "sig", "alg": "ALG"}"#, true),
    (r#"{"key_ops": ["verify"]}"#, true),
    (
        r#"{"key_ops": ["sign", "verify"], "x5t": "AA", "unknown": [1]}"#,
        true,
    ),
    (r#"{"use": "enc"}"#, false),
    (r#"{"use": "other"}"#, false),
    (r#"{"key_ops": ["sign"]}"#, false),
    (r#"{"key_ops": []}"#, false),
    (r#"{"alg": "RS512"}"#, false),
    (r#"{"alg": "HS256"}"#, false),
    (r#"{"alg": "unknown"}"#, false),
];

fn entry() -> impl Strategy<Value = Entry> {
    let good = (0..4_usize, select(IDS), select(MORE)).prop_map(|(which, id, (more, usable))| {
        let (mut jwk, algorithm) = good()[which].clone();
        let more: Value = serde_json::from_str(&more.replace("ALG", algorithm)).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        if let Some(id) = id {
            jwk["kid"] = id.into();
        }
        Entry {
            jwk,
            usable: usable.then_some((which, id)),
            damaged: false,
        }
    });
    prop_oneof![
        8 => good,
        2 => bad().prop_map(|jwk| Entry { jwk, usable: None, damaged: false }),
        1 => damaged().prop_map(|jwk| Entry { jwk, usable: None, damaged: true }),
    ]
}

#[test]
fn a_set_has_the_keys_that_are_meant_for_it() {
    let entries = prop::collection::vec(entry(), 1..5);
    let signers = signers();
    let headers = |algorithm: Algorithm, id: Option<&str>| match id {
        None => format!(r#"{{"alg":"{algorithm:?}"}}"#),
        Some(id) => format!(r#"{{"alg":"{algorithm:?}","kid":"{id}"}}"#),
    };
    let private = prop::bool::weighted(0.05);
    let cases = (entries, private, 0..4_usize, select(IDS));
    let classes = [
        "no key",
        "a private key",
        "a token is verified",
        "a token is refused",
        "damaged",
    ];
    check(
        &classes,
        cases,
        |(mut entries, private, which, id), seen| {
            if let Some(first) = entries.first_mut().filter(|_| private) {
                first.jwk["d"] = "hush-hush".into();
            }
            let private = private && !entries.is_empty();
            let damaged = entries.iter().any(|entry| entry.damaged);
            seen.note_if(damaged, "damaged");
            let usable: Vec<_> = entries.iter().filter_map(|entry| entry.usable).collect();
            let all: Vec<&Value> = entries.iter().map(|entry| &entry.jwk).collect();
            let access = match read(&[("JWT_KEYS", &json!({"keys": all}).to_string())]) {
                Err(error) => {
                    prop_assert_eq!(error.name, "JWT_KEYS");
                    prop_assert!(private || usable.is_empty(), "{error}");
                    prop_assert!(!error.to_string().contains("hush"));
                    seen.note(if private { "a private key" } else { "no key" });
                    return Ok(());
                }
                Ok(access) => access,
            };
            prop_assert!(!private && (damaged || !usable.is_empty()));
            // There is one RSA token only, and it has no kid.
            let (algorithm, id, token) = match signers.get(which) {
                Some(signer) => {
                    let algorithm = signer.algorithm;
                    (algorithm, id, signer.token(&headers(algorithm, id), CLAIMS))
                }
                None => (Algorithm::RS256, None, rsa().1),
            };
            let kinds = [
                Algorithm::EdDSA,
                Algorithm::EdDSA,
                Algorithm::ES256,
                Algorithm::RS256,
            ];
            let meant: Vec<usize> = usable
                .iter()
                .filter(|(which, called)| {
                    kinds[*which] == algorithm && (id.is_none() || id == *called)
                })
                .map(|(which, _)| *which)
                .collect();
            let verified = subscribe(&access, &token).is_ok();
            seen.note(if verified {
                "a token is verified"
            } else {
                "a token is refused"
            });
            // One that is damaged may be a key, and the token ambiguous then.
            prop_assert!(verified == (meant == [which]) || (damaged && !verified));
            Ok(())
        },
    );
}

#[test]
fn what_is_nearly_a_set_is_one_or_named() {
    let jwk = Signer::ed25519(1).called("a").jwk();
    let set = json!({"keys": [jwk, {"kty": "EC", "crv": "P-256"}]}).to_string();
    let one = json!({"keys": [jwk]}).to_string();
    let wrapped = format!("[{one}]");
    let texts = select(vec![
        one.clone(),
        one.clone(),
        one,
        set,
        jwk.to_string(),
        wrapped,
    ]);
    let pieces = &[
        "{", "}", "[", "]", ",", ":", "\"", "keys", "\"d\":", "null", "0", "\\", "A", "é", " ",
        "\0", "kty",
    ];
    let texts = prop_oneof![9 => edited(texts, pieces), 1 => text(pieces, 9)];
    check(&["keys", "no JSON", "unusable"], texts, |text, seen| {
        let json = serde_json::from_str::<Value>(&text).ok();
        match read(&[("JWT_KEYS", &text)]) {
            Ok(_) => {
                seen.note("keys");
                let json = json.unwrap();
                let keys = json["keys"].as_array().unwrap();
                prop_assert!(
                    keys.iter()
                        .any(|key| key["kty"] == "OKP" && key["crv"] == "Ed25519")
                );
                prop_assert!(keys.iter().all(|key| key.get("d").is_none()));
            }
            Err(error) => {
                seen.note(if json.is_some() {
                    "unusable"
                } else {
                    "no JSON"
                });
                let name = if text.is_empty() {
                    "JWT_SECRET"
                } else {
                    "JWT_KEYS"
                };
                prop_assert_eq!(error.name, name);
                prop_assert!(!error.expected.is_empty() && !error.found.is_empty());
            }
        }
        Ok(())
    });
}
