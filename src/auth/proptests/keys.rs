//! `JWT_KEYS`.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, edited, text};

const KIDS: &[Option<&str>] = &[None, None, Some("a"), Some("b")];

/// A key of a set.
#[derive(Clone, Debug)]
struct Entry {
    jwk: Value,
    /// The index in [`good`] and the `kid` of a key that can verify tokens.
    usable: Option<(usize, Option<&'static str>)>,
    /// Whether the key was generated at random. It may be valid by chance.
    damaged: bool,
}

fn signers() -> [Signer; 3] {
    [Signer::ed25519(1), Signer::ed25519(2), Signer::p256(1)]
}

/// Keys that can verify tokens, and their algorithms.
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

/// Keys that cannot verify tokens, whatever their attributes are.
fn bad() -> impl Strategy<Value = Value> {
    let short = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..250),
        prop::collection::vec(any::<u8>(), 250..256),
    ];
    let edwards = prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut x| {
        if x.len() == 32 {
            x.pop();
        }
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(x)})
    });
    prop_oneof![
        Just(json!({"kty": "oct", "k": base64url(SECRET)})),
        Just(json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"})),
        Just(json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})),
        short.prop_map(|n| json!({"kty": "RSA", "e": "AQAB", "n": base64url(n)})),
        edwards,
    ]
}

/// Keys of about the right size, with random content.
fn damaged() -> impl Strategy<Value = Value> {
    let bytes = |length| prop::collection::vec(any::<u8>(), length).prop_map(base64url);
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

/// Attributes of a key, and whether a key with them may verify tokens. `ALG` stands for the algorithm of the key.
const ATTRIBUTES: &[(&str, bool)] = &[
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
    let good = (0..4_usize, select(KIDS), select(ATTRIBUTES)).prop_map(
        |(which, kid, (attributes, usable))| {
            let (mut jwk, algorithm) = good()[which].clone();
            let attributes: Value =
                serde_json::from_str(&attributes.replace("ALG", algorithm)).unwrap();
            let members = jwk.as_object_mut().unwrap();
            members.extend(attributes.as_object().unwrap().clone());
            if let Some(kid) = kid {
                jwk["kid"] = kid.into();
            }
            Entry {
                jwk,
                usable: usable.then_some((which, kid)),
                damaged: false,
            }
        },
    );
    prop_oneof![
        8 => good,
        2 => bad().prop_map(|jwk| Entry { jwk, usable: None, damaged: false }),
        1 => damaged().prop_map(|jwk| Entry { jwk, usable: None, damaged: true }),
    ]
}

#[test]
fn a_jwk_set_verifies_tokens_with_its_usable_public_keys_only() {
    let entries = prop::collection::vec(entry(), 1..5);
    let signers = signers();
    let header = |algorithm: Algorithm, kid: Option<&str>| match kid {
        None => format!(r#"{{"alg":"{algorithm:?}"}}"#),
        Some(kid) => format!(r#"{{"alg":"{algorithm:?}","kid":"{kid}"}}"#),
    };
    let private = prop::bool::weighted(0.05);
    let cases = (entries, private, 0..4_usize, select(KIDS));
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
        |(mut entries, private, which, kid), seen| {
            if let Some(first) = entries.first_mut().filter(|_| private) {
                first.jwk["d"] = "hush-hush".into();
            }
            let private = private && !entries.is_empty();
            let damaged = entries.iter().any(|entry| entry.damaged);
            seen.note_if(damaged, "damaged");
            let usable: Vec<_> = entries.iter().filter_map(|entry| entry.usable).collect();
            let all: Vec<&Value> = entries.iter().map(|entry| &entry.jwk).collect();
            let access = match access(&[("JWT_KEYS", &json!({"keys": all}).to_string())]) {
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
            // The only RSA token has no kid.
            let (algorithm, kid, token) = match signers.get(which) {
                Some(signer) => {
                    let algorithm = signer.algorithm;
                    (algorithm, kid, signer.sign(&header(algorithm, kid), CLAIMS))
                }
                None => (Algorithm::RS256, None, rsa().1),
            };
            let algorithms = [
                Algorithm::EdDSA,
                Algorithm::EdDSA,
                Algorithm::ES256,
                Algorithm::RS256,
            ];
            let matching: Vec<usize> = usable
                .iter()
                .filter(|(which, other)| {
                    algorithms[*which] == algorithm && (kid.is_none() || kid == *other)
                })
                .map(|(which, _)| *which)
                .collect();
            let verified = subscribe(&access, &token).is_ok();
            seen.note(if verified {
                "a token is verified"
            } else {
                "a token is refused"
            });
            // A damaged key may be valid by chance. It may then match the token, too.
            prop_assert!(verified == (matching == [which]) || (damaged && !verified));
            Ok(())
        },
    );
}

#[test]
fn an_edited_jwk_set_has_a_public_key_or_is_refused() {
    let jwk = Signer::ed25519(1).with_kid("a").jwk();
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
    check(&["keys", "not JSON", "unusable"], texts, |text, seen| {
        let json = serde_json::from_str::<Value>(&text).ok();
        match access(&[("JWT_KEYS", &text)]) {
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
                    "not JSON"
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
