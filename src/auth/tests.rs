//! What a deployment's settings make of tokens.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "a secret of thirty-two characters";
const OTHER_SECRET: &str = "another one of thirty-two letters";

/// The public keys of RFC 8037, appendix A.2, and of RFC 7517, appendix A.1.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const P256: &str = r#"{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn access(variables: &[(&str, &str)]) -> Result<Access, SettingError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(found.1.to_owned())
    };
    Access::read(&Environment::new(&variable))
}

fn with_secret(more: &[(&str, &str)]) -> Access {
    access(&[&[("JWT_SECRET", SECRET)], more].concat()).unwrap()
}

fn token(header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(header, claims, &key).unwrap()
}

fn hs256(claims: &Value) -> String {
    token(&Header::default(), claims)
}

fn why(granted: Result<Grant, Denied>) -> TokenError {
    match granted {
        Err(Denied::Invalid(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn publish(access: &Access, token: &str) -> Result<Grant, Denied> {
    access.grant(Permission::Publish, "foo", Some(token), 5_000)
}

#[test]
fn a_policy_says_who_needs_a_token() {
    use Permission::*;
    let needs = |policy: &str| {
        let access = with_secret(&[("ACCESS", policy)]);
        (access.needs_token(Publish), access.needs_token(Subscribe))
    };
    assert_eq!(needs(""), (true, true));
    assert_eq!(needs("token"), (true, true));
    assert_eq!(needs("publish-token"), (true, false));
    assert_eq!(needs("open"), (false, false));
    assert!(access(&[("ACCESS", "open")]).is_ok(), "without any key");
}

#[test]
fn a_token_permits_what_it_lists() {
    let access = with_secret(&[]);
    let token = hs256(&json!({"publish": ["foo"], "subscribe": ["b*"], "exp": 9, "sub": "me"}));
    let grant = |permission, channel| access.grant(permission, channel, Some(&token), 5_000);
    let granted = Grant {
        expires: Some(9_000),
        subject: Some("me".into()),
    };
    assert_eq!(grant(Permission::Publish, "foo"), Ok(granted.clone()));
    assert_eq!(grant(Permission::Subscribe, "bar"), Ok(granted));
    for (permission, channel) in [(Permission::Subscribe, "foo"), (Permission::Publish, "bar")] {
        assert_eq!(
            grant(permission, channel),
            Err(Denied::Forbidden(permission))
        );
    }
    let missing = access.grant(Permission::Publish, "foo", None, 5_000);
    assert_eq!(missing, Err(Denied::Missing(Permission::Publish)));
}

#[test]
fn times_have_no_leeway_however_often_they_are_asked() {
    let access = with_secret(&[]);
    let token = hs256(&json!({"publish": ["foo"], "exp": 9, "nbf": 4.5}));
    let at = |now| access.grant(Permission::Publish, "foo", Some(&token), now);
    assert_eq!(why(at(4_499)), TokenError::NotYet);
    assert!(at(4_500).is_ok());
    assert!(at(8_999).is_ok());
    assert_eq!(why(at(9_000)), TokenError::Expired);
    assert!(at(8_999).is_ok());
    let without = hs256(&json!({"publish": ["foo"]}));
    assert!(matches!(
        why(publish(&access, &without)),
        TokenError::Claims(_)
    ));
}

#[test]
fn the_key_says_which_algorithm_is_right() {
    let claims = json!({"publish": ["foo"], "exp": 9});
    let both = with_secret(&[("JWT_KEYS", &format!("{{\"keys\":[{ED25519},{P256}]}}"))]);
    assert!(publish(&both, &hs256(&claims)).is_ok());
    let other = access(&[("JWT_SECRET", OTHER_SECRET)]).unwrap();
    assert_eq!(why(publish(&other, &hs256(&claims))), TokenError::Signature);
    let hs512 = token(&Header::new(Algorithm::HS512), &claims);
    assert_eq!(
        why(publish(&both, &hs512)),
        TokenError::UnknownKey("\"HS512\"".into())
    );
    // A signature of another kind, and a secret's where there is none.
    for (jwk, algorithm) in [(ED25519, Algorithm::EdDSA), (P256, Algorithm::ES256)] {
        let access = access(&[("JWT_KEYS", &format!("{{\"keys\":[{jwk}]}}"))]).unwrap();
        let token = hs256(&claims);
        let (_, rest) = token.split_once('.').unwrap();
        let token = format!("{}.{rest}", encoded_header(algorithm));
        assert_eq!(why(publish(&access, &token)), TokenError::Signature);
        assert!(matches!(
            why(publish(&access, &hs256(&claims))),
            TokenError::UnknownKey(_)
        ));
    }
}

/// A header that names `algorithm`, encoded.
fn encoded_header(algorithm: Algorithm) -> String {
    base64url(&serde_json::to_vec(&Header::new(algorithm)).unwrap())
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0))
        });
        for at in 0..=chunk.len() {
            out.push(DIGITS[(bits >> (18 - 6 * at)) as usize & 63] as char);
        }
    }
    out
}

#[test]
fn a_token_that_names_its_key_gets_no_other() {
    let claims = json!({"publish": ["foo"], "exp": 9});
    let access = with_secret(&[]);
    for kid in ["1", "", "../../dev/null", "' OR 1=1 --"] {
        let header = Header {
            kid: Some(kid.into()),
            ..Header::default()
        };
        let error = why(publish(&access, &token(&header, &claims)));
        assert_eq!(
            error,
            TokenError::UnknownKey(format!("\"HS256\" with the kid {kid:?}"))
        );
    }
    let critical = Header {
        crit: Some(vec!["exp".into()]),
        ..Header::default()
    };
    assert_eq!(
        why(publish(&access, &token(&critical, &claims))),
        TokenError::Critical
    );
    let twice = format!("{{\"keys\":[{P256},{P256}]}}");
    let access = self::access(&[("JWT_KEYS", &twice)]).unwrap();
    let token = format!("{}.e30.AAAA", encoded_header(Algorithm::ES256));
    assert_eq!(why(publish(&access, &token)), TokenError::AmbiguousKey);
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_set() {
    let access = with_secret(&[("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "hub")]);
    let publish = |more: Value| {
        let mut claims = json!({"publish": ["foo"], "exp": 9});
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        (
            publish(&access, &hs256(&claims)),
            publish(&with_secret(&[]), &hs256(&claims)),
        )
    };
    for good in [
        json!({"iss": "me", "aud": "hub"}),
        json!({"iss": "me", "aud": ["a", "hub"]}),
    ] {
        let (checked, unchecked) = publish(good);
        assert!(checked.is_ok() && unchecked.is_ok());
    }
    for (bad, error) in [
        (
            json!({"iss": "you", "aud": "hub"}),
            TokenError::Foreign {
                claim: "iss",
                setting: "JWT_ISSUER",
            },
        ),
        (
            json!({"iss": "me", "aud": ["a"]}),
            TokenError::Foreign {
                claim: "aud",
                setting: "JWT_AUDIENCE",
            },
        ),
    ] {
        let (checked, unchecked) = publish(bad);
        assert_eq!(why(checked), error);
        assert!(unchecked.is_ok());
    }
    for bad in [
        json!({"aud": "hub"}),
        json!({"iss": "me"}),
        json!({"iss": 7, "aud": "hub"}),
    ] {
        assert!(matches!(why(publish(bad).0), TokenError::Claims(_)));
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let access = with_secret(&[]);
    let good = hs256(&json!({"publish": ["foo"], "exp": 9}));
    assert!(publish(&access, &good).is_ok());
    let none = format!("{}.e30.", base64url(br#"{"alg":"none"}"#));
    for bad in [
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.e30",
        &none,
        &format!("{good}."),
        &format!("{good}="),
    ] {
        why(publish(&access, bad));
    }
    let long = format!("{good}{}", "A".repeat(8_192));
    assert_eq!(why(publish(&access, &long)), TokenError::TooLong);
}
