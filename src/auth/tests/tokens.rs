//! Which tokens a deployment accepts.

use jsonwebtoken::Algorithm;

use super::*;
use crate::auth::test_support::base64url;

const OTHER_SECRET: &str = "another one of thirty-two letters";

/// The public keys of RFC 8037, appendix A.2, and of RFC 7517, appendix A.1.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const P256: &str = r#"{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn encoded_header(algorithm: Algorithm) -> String {
    base64url(serde_json::to_vec(&Header::new(algorithm)).unwrap())
}

#[test]
fn the_key_decides_which_algorithm_verifies_a_token() {
    let claims = json!({"publish": ["foo"], "exp": 9});
    let all = access_with_secret(&[("JWT_KEYS", &format!("{{\"keys\":[{ED25519},{P256}]}}"))]);
    assert!(publish(&all, &sign_hs256(&claims)).is_ok());
    let other = access(&[("JWT_SECRET", OTHER_SECRET)]).unwrap();
    assert_eq!(
        token_error(publish(&other, &sign_hs256(&claims))),
        TokenError::Signature
    );
    let hs512 = sign(&Header::new(Algorithm::HS512), &claims);
    assert_eq!(
        token_error(publish(&all, &hs512)),
        TokenError::UnknownKey("alg \"HS512\"".into())
    );
    // A deployment with a public key refuses an HMAC signature, whatever algorithm the header names.
    for (jwk, algorithm) in [(ED25519, Algorithm::EdDSA), (P256, Algorithm::ES256)] {
        let access = access(&[("JWT_KEYS", &format!("{{\"keys\":[{jwk}]}}"))]).unwrap();
        let token = sign_hs256(&claims);
        let (_, rest) = token.split_once('.').unwrap();
        let token = format!("{}.{rest}", encoded_header(algorithm));
        assert_eq!(token_error(publish(&access, &token)), TokenError::Signature);
        assert!(matches!(
            token_error(publish(&access, &sign_hs256(&claims))),
            TokenError::UnknownKey(_)
        ));
    }
}

#[test]
fn a_token_with_a_kid_matches_only_the_key_with_that_kid() {
    let claims = json!({"publish": ["foo"], "exp": 9});
    let access = access_with_secret(&[]);
    for kid in ["1", "", "../../dev/null", "' OR 1=1 --"] {
        let header = Header {
            kid: Some(kid.into()),
            ..Header::default()
        };
        assert_eq!(
            token_error(publish(&access, &sign(&header, &claims))),
            TokenError::UnknownKey(format!("alg \"HS256\", kid {kid:?}"))
        );
    }
}

#[test]
fn a_token_with_crit_is_refused() {
    let header = Header {
        crit: Some(vec!["exp".into()]),
        ..Header::default()
    };
    let token = sign(&header, &json!({"publish": ["foo"], "exp": 9}));
    assert_eq!(
        token_error(publish(&access_with_secret(&[]), &token)),
        TokenError::Critical
    );
}

#[test]
fn a_token_that_several_keys_match_is_refused() {
    let twice = format!("{{\"keys\":[{P256},{P256}]}}");
    let access = access(&[("JWT_KEYS", &twice)]).unwrap();
    let token = format!("{}.e30.AAAA", encoded_header(Algorithm::ES256));
    assert_eq!(
        token_error(publish(&access, &token)),
        TokenError::AmbiguousKey
    );
}

#[test]
fn header_members_of_the_wrong_type_or_given_twice_are_refused() {
    let access = access_with_secret(&[]);
    let sign = |members: &str| {
        let claims = base64url(json!({"publish": ["foo"], "exp": 9}).to_string());
        let header = base64url(format!(r#"{{"alg":"HS256"{members}}}"#));
        let signed = format!("{header}.{claims}");
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
    };
    for good in [
        "",
        r#","typ":"JWT","cty":"x","jku":"x","x5u":"x","x5t":"x","x5t#S256":"x","x5c":["x"]"#,
        r#","typ":null,"cty":null,"jku":null,"x5u":null,"x5t":null,"x5c":null,"jwk":null"#,
        r#","jwk":{"kty":"oct","k":"AA","kid":"1"},"unknown":1,"unknown":2"#,
    ] {
        assert!(publish(&access, &sign(good)).is_ok(), "{good}");
    }
    for bad in [
        r#","typ":1"#,
        r#","typ":"a","typ":"a""#,
        r#","cty":[]"#,
        r#","jku":true"#,
        r#","jwk":"x""#,
        r#","jwk":[null,null,null,null]"#,
        r#","jwk":{"kid":1}"#,
        r#","x5u":{}"#,
        r#","x5c":"x""#,
        r#","x5c":[1]"#,
        r#","x5t":1"#,
        r#","x5t#S256":1"#,
        r#","kid":null"#,
        r#","alg":"HS256""#,
        r#","al\u0067":"HS256""#,
    ] {
        let error = token_error(publish(&access, &sign(bad)));
        assert!(matches!(error, TokenError::Header(_)), "{bad}: {error:?}");
    }
}

#[test]
fn iss_and_aud_must_match_the_settings_if_they_are_set() {
    let strict = access_with_secret(&[("JWT_ISSUER", "me"), ("JWT_AUDIENCE", "hub")]);
    let lax = access_with_secret(&[]);
    let publish = |more: Value| {
        let mut claims = json!({"publish": ["foo"], "exp": 9});
        let members = claims.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let token = sign_hs256(&claims);
        (publish(&strict, &token), publish(&lax, &token))
    };
    for good in [
        json!({"iss": "me", "aud": "hub"}),
        json!({"iss": "me", "aud": ["a", "hub"]}),
    ] {
        let (strict, lax) = publish(good);
        assert!(strict.is_ok() && lax.is_ok());
    }
    let wrong_issuer = TokenError::WrongClaim {
        claim: "iss",
        setting: "JWT_ISSUER",
    };
    let wrong_audience = TokenError::WrongClaim {
        claim: "aud",
        setting: "JWT_AUDIENCE",
    };
    for (bad, error) in [
        (json!({"iss": "you", "aud": "hub"}), &wrong_issuer),
        (json!({"iss": "you", "aud": "a"}), &wrong_issuer),
        (json!({"iss": "me", "aud": "a"}), &wrong_audience),
        (json!({"iss": "me", "aud": ["a"]}), &wrong_audience),
        (json!({"iss": "me", "aud": []}), &wrong_audience),
    ] {
        let (strict, lax) = publish(bad);
        assert_eq!(token_error(strict), *error);
        assert!(lax.is_ok());
    }
    for missing in [
        json!({"aud": "hub"}),
        json!({"iss": "me"}),
        json!({"iss": "you"}),
        json!({"iss": "me", "aud": null}),
        json!({"iss": "me", "aud": 5}),
        json!({"iss": "me", "aud": ["hub", 5]}),
        json!({"iss": "me", "aud": {"hub": 1}}),
    ] {
        let (strict, lax) = publish(missing);
        assert!(matches!(token_error(strict), TokenError::Claims(_)));
        assert!(lax.is_ok());
    }
    let (strict, lax) = publish(json!({"iss": 7, "aud": "hub"}));
    assert!(matches!(token_error(strict), TokenError::Claims(_)));
    assert!(matches!(token_error(lax), TokenError::Claims(_)));
}

#[test]
fn text_that_is_not_a_token_is_refused() {
    let access = access_with_secret(&[]);
    let good = sign_hs256(&json!({"publish": ["foo"], "exp": 9}));
    assert!(publish(&access, &good).is_ok());
    let none = format!("{}.e30.", base64url(r#"{"alg":"none"}"#));
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.e30",
        &none,
        &format!("{good}."),
        &format!("{good}="),
        &format!(".{good}"),
    ] {
        token_error(publish(&access, bad));
    }
    let long = format!("{good}{}", "A".repeat(8_192));
    assert_eq!(token_error(publish(&access, &long)), TokenError::TooLong);
}
