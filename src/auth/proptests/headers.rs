//! Headers, in tokens with valid and other signatures.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, edited};

/// The keys of three deployments: one or several for an algorithm, with and without a `kid`.
fn deployments() -> [Vec<Signer>; 3] {
    let secret = Signer::secret(SECRET.as_bytes());
    let edwards = |seed| Signer::ed25519(seed);
    [
        vec![
            secret.clone(),
            edwards(1).with_kid("a"),
            edwards(2).with_kid("b"),
            Signer::p256(1).with_kid("c"),
        ],
        vec![
            secret.clone(),
            edwards(1),
            Signer::p256(1).with_kid("a"),
            Signer::p256(2).with_kid("a"),
        ],
        vec![
            edwards(1).with_kid(""),
            edwards(2),
            Signer::p256(1).with_kid("../a' OR 1=1"),
        ],
    ]
}

/// The JWK Set of the keys that are not secrets.
fn set(keys: &[Signer]) -> String {
    let public = keys.iter().filter(|key| key.algorithm != Algorithm::HS256);
    let public: Vec<Value> = public.map(Signer::jwk).collect();
    json!({"keys": public}).to_string()
}

/// Values of `alg`, and the algorithm that each one names.
const ALGORITHMS: &[(&str, Option<Algorithm>)] = &[
    (r#""HS256""#, Some(Algorithm::HS256)),
    (r#""EdDSA""#, Some(Algorithm::EdDSA)),
    (r#""ES256""#, Some(Algorithm::ES256)),
    (r#""HS384""#, Some(Algorithm::HS384)),
    (r#""RS256""#, Some(Algorithm::RS256)),
    (r#""PS256""#, Some(Algorithm::PS256)),
    (r#""none""#, None),
    (r#""NONE""#, None),
    (r#""hs256""#, None),
    (r#""""#, None),
    ("null", None),
    ("7", None),
    (r#"["HS256"]"#, None),
];

const KIDS: &[Option<&str>] = &[
    None,
    None,
    None,
    Some("a"),
    Some("a"),
    Some("b"),
    Some("c"),
    Some(""),
    Some("A"),
    Some("../a' OR 1=1"),
    Some("../../dev/null"),
];

/// More members of a header, and whether a header with them is valid.
const MORE: &[(&str, bool)] = &[
    ("", true),
    ("", true),
    ("", true),
    ("", true),
    ("", true),
    (r#","typ":"JWT""#, true),
    (
        r#","jku":"https://a.example/keys","x5u":"https://a.example""#,
        true,
    ),
    (r#","jwk":{"kty":"oct","k":"QQ"}"#, true),
    (r#","x":{"y":[1]}"#, true),
    (r#","crit":["exp"]"#, false),
    (r#","crit":[]"#, false),
    (r#","crit":null"#, false),
    (r#","kid":null"#, false),
    (r#","b64":false,"crit":["b64"]"#, false),
    (r#","alg":"HS256""#, false),
    (r#","kid":"a","kid":"a""#, false),
];

#[test]
fn a_token_is_accepted_only_if_its_header_selects_the_key_that_signed_it() {
    let deployments = deployments();
    let access = deployments.each_ref().map(|keys| {
        let set = set(keys);
        let secret = if keys[0].algorithm == Algorithm::HS256 {
            SECRET
        } else {
            ""
        };
        access(&[("JWT_SECRET", secret), ("JWT_KEYS", &set)]).unwrap()
    });
    let public = Signer::ed25519(1).jwk()["x"].as_str().unwrap().to_owned();
    // Keys that no deployment has. Some are secrets made from public keys.
    let others = [
        Signer::secret(b"another secret, also of 32 bytes"),
        Signer::ed25519(3).with_kid("a"),
        Signer::secret(set(&deployments[0]).as_bytes()),
        Signer::secret(public.as_bytes()),
        Signer::secret(b""),
    ];
    let classes = [
        "valid",
        "another signer",
        "another algorithm",
        "another kid",
        "ambiguous",
        "invalid member",
    ];
    // `None` stands for the algorithm or the kid of the key that signs the token.
    let sometimes = |weight| prop::option::weighted(weight, Just(()));
    let algorithms =
        (sometimes(0.3), select(ALGORITHMS)).prop_map(|(other, named)| other.map(|()| named));
    let kids = (sometimes(0.4), select(KIDS)).prop_map(|(other, kid)| other.map(|()| kid));
    let signers = prop_oneof![3 => 0..3_usize, 1 => 3..8_usize];
    let spoiled = prop::bool::weighted(0.05);
    let cases = (0..3_usize, signers, algorithms, kids, select(MORE), spoiled);
    check(
        &classes,
        cases,
        |(deployment, signer, algorithm, kid, more, spoiled), seen| {
            let keys = &deployments[deployment];
            let trusted = keys.get(signer);
            let signer = trusted.unwrap_or_else(|| &others[signer % others.len()]);
            let named = ALGORITHMS
                .iter()
                .find(|(_, named)| *named == Some(signer.algorithm));
            let (text, algorithm) = algorithm.unwrap_or_else(|| *named.unwrap());
            let given = kid.unwrap_or(signer.kid);
            let kid = given
                .map(|kid| format!(r#","kid":{}"#, json!(kid)))
                .unwrap_or_default();
            let (more, valid) = more;
            let brace = if spoiled { "" } else { "}" };
            let token = signer.sign(&format!(r#"{{"alg":{text}{kid}{more}{brace}"#), CLAIMS);
            let matching = keys.iter().filter(|key| {
                Some(key.algorithm) == algorithm && (given.is_none() || given == key.kid)
            });
            let matching = matching.count();
            let selects_signer =
                algorithm == Some(signer.algorithm) && (given.is_none() || given == signer.kid);
            let expected =
                trusted.is_some() && selects_signer && matching == 1 && valid && !spoiled;
            seen.note_if(expected, "valid");
            seen.note_if(trusted.is_none(), "another signer");
            seen.note_if(algorithm != Some(signer.algorithm), "another algorithm");
            seen.note_if(given.is_some() && given != signer.kid, "another kid");
            seen.note_if(matching > 1, "ambiguous");
            seen.note_if(!valid, "invalid member");
            match subscribe(&access[deployment], &token) {
                Ok(_) => prop_assert!(expected),
                Err(Denied::Invalid(why)) => prop_assert!(!expected, "{why}"),
                Err(other) => prop_assert!(false, "{other}"),
            }
            Ok(())
        },
    );
}

#[test]
fn an_edited_header_is_accepted_only_if_it_still_names_hs256_and_no_key() {
    let signer = Signer::secret(SECRET.as_bytes());
    let access = access(&[("JWT_SECRET", SECRET)]).unwrap();
    let whole = select(
        &[
            r#"{"alg":"HS256"}"#,
            r#"{"typ":"JWT","alg":"HS256","x":{"crit":[],"kid":7}}"#,
            r#"{"alg":{"HS256":null}}"#,
            r#"["HS256"]"#,
            r#""HS256""#,
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
        "\\u0048",
        "alg",
        "\"kid\":",
        "\"crit\":",
        "null",
        "1",
        "é",
        " ",
        "\0",
    ];
    let headers = edited(whole.prop_map(str::to_owned), pieces);
    let classes = ["valid", "not JSON", "not an object", "refused"];
    check(&classes, headers, |header, seen| {
        let json = serde_json::from_str::<Value>(&header).ok();
        let expected = json.as_ref().is_some_and(|json| {
            json["alg"] == "HS256" && json.get("kid").is_none() && json.get("crit").is_none()
        });
        let found = subscribe(&access, &signer.sign(&header, CLAIMS));
        if found.is_ok() {
            seen.note("valid");
            prop_assert!(expected, "{header}");
            return Ok(());
        }
        seen.note(match json {
            None => "not JSON",
            Some(json) if !json.is_object() => "not an object",
            Some(_) => "refused",
        });
        Ok(())
    });
}
