//! Of what a token's header says, whoever has signed it.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, edited};

/// The keys of a deployment: of some kinds one, of others several, with ids and without.
fn keys() -> [Vec<Signer>; 3] {
    let secret = Signer::secret(SECRET.as_bytes());
    let edwards = |seed| Signer::ed25519(seed);
    [
        vec![
            secret.clone(),
            edwards(1).called("a"),
            edwards(2).called("b"),
            Signer::p256(1).called("c"),
        ],
        vec![
            secret.clone(),
            edwards(1),
            Signer::p256(1).called("a"),
            Signer::p256(2).called("a"),
        ],
        vec![
            edwards(1).called(""),
            edwards(2),
            Signer::p256(1).called("../a' OR 1=1"),
        ],
    ]
}

/// The public keys among them.
fn set(keys: &[Signer]) -> String {
    let public = keys.iter().filter(|key| key.algorithm != Algorithm::HS256);
    let public: Vec<Value> = public.map(Signer::jwk).collect();
    json!({"keys": public}).to_string()
}

/// The algorithms that a header can name, and how a library calls them.
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

const IDS: &[Option<&str>] = &[
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

/// What else may stand in a header, and whether that makes no difference.
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
fn a_key_verifies_what_it_has_signed_and_what_names_it() {
    let keys = keys();
    let access = keys.each_ref().map(|keys| {
        let set = set(keys);
        let secret = if keys[0].algorithm == Algorithm::HS256 {
            SECRET
        } else {
            ""
        };
        read(&[("JWT_SECRET", secret), ("JWT_KEYS", &set)]).unwrap()
    });
    let public = Signer::ed25519(1).jwk()["x"].as_str().unwrap().to_owned();
    // Others, whom nobody trusts: what is public is no secret.
    let others = [
        Signer::secret(b"another secret, also of 32 bytes"),
        Signer::ed25519(3).called("a"),
        Signer::secret(set(&keys[0]).as_bytes()),
        Signer::secret(public.as_bytes()),
        Signer::secret(b""),
    ];
    let classes = [
        "valid",
        "another signer",
        "another algorithm",
        "another id",
        "ambiguous",
        "critical",
    ];
    // Of the algorithm and the id, `None` is what is right for the key.
    let mostly_none = |weight| prop::option::weighted(weight, Just(()));
    let algorithms =
        (mostly_none(0.3), select(ALGORITHMS)).prop_map(|(other, named)| other.map(|()| named));
    let ids = (mostly_none(0.4), select(IDS)).prop_map(|(other, id)| other.map(|()| id));
    let signers = prop_oneof![3 => 0..3_usize, 1 => 3..8_usize];
    let spoiled = prop::bool::weighted(0.05);
    let cases = (0..3_usize, signers, algorithms, ids, select(MORE), spoiled);
    check(
        &classes,
        cases,
        |(deployment, signer, algorithm, id, more, spoiled), seen| {
            let keys = &keys[deployment];
            let trusted = keys.get(signer);
            let signer = trusted.unwrap_or_else(|| &others[signer % others.len()]);
            let named = ALGORITHMS
                .iter()
                .find(|(_, named)| *named == Some(signer.algorithm));
            let (text, algorithm) = algorithm.unwrap_or_else(|| *named.unwrap());
            let given = id.unwrap_or(signer.id);
            let id = given
                .map(|id| format!(r#","kid":{}"#, json!(id)))
                .unwrap_or_default();
            let (more, harmless) = more;
            let brace = if spoiled { "" } else { "}" };
            let token = signer.token(&format!(r#"{{"alg":{text}{id}{more}{brace}"#), CLAIMS);
            // Those that the header may mean.
            let meant = keys.iter().filter(|key| {
                Some(key.algorithm) == algorithm && (given.is_none() || given == key.id)
            });
            let meant = meant.count();
            let is_meant =
                algorithm == Some(signer.algorithm) && (given.is_none() || given == signer.id);
            let expected = trusted.is_some() && is_meant && meant == 1 && harmless && !spoiled;
            seen.note_if(expected, "valid");
            seen.note_if(trusted.is_none(), "another signer");
            seen.note_if(algorithm != Some(signer.algorithm), "another algorithm");
            seen.note_if(given.is_some() && given != signer.id, "another id");
            seen.note_if(meant > 1, "ambiguous");
            seen.note_if(!harmless, "critical");
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
fn what_is_nearly_a_header_counts_only_where_it_is_one() {
    let signer = Signer::secret(SECRET.as_bytes());
    let access = read(&[("JWT_SECRET", SECRET)]).unwrap();
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
    let classes = ["valid", "no JSON", "no object", "refused"];
    check(&classes, headers, |header, seen| {
        let json = serde_json::from_str::<Value>(&header).ok();
        let expected = json.as_ref().is_some_and(|json| {
            json["alg"] == "HS256" && json.get("kid").is_none() && json.get("crit").is_none()
        });
        let found = subscribe(&access, &signer.token(&header, CLAIMS));
        if found.is_ok() {
            seen.note("valid");
            prop_assert!(expected, "{header}");
            return Ok(());
        }
        seen.note(match json {
            None => "no JSON",
            Some(json) if !json.is_object() => "no object",
            Some(_) => "refused",
        });
        Ok(())
    });
}
