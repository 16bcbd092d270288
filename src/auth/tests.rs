//! How the settings of a deployment decide about tokens.

use std::cell::Cell;

use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::keys::VerificationKey;
use super::test_support::{Library, access, base64url, grant};
use super::*;

const SECRET: &str = "a secret of thirty-two characters";
const OTHER_SECRET: &str = "another one of thirty-two letters";

/// The public keys of RFC 8037, appendix A.2, and of RFC 7517, appendix A.1.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const P256: &str = r#"{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn access_with_secret(more: &[(&str, &str)]) -> Access {
    access(&[&[("JWT_SECRET", SECRET)], more].concat()).unwrap()
}

fn sign(header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(header, claims, &key).unwrap()
}

fn sign_hs256(claims: &Value) -> String {
    sign(&Header::default(), claims)
}

fn encoded_header(algorithm: Algorithm) -> String {
    base64url(serde_json::to_vec(&Header::new(algorithm)).unwrap())
}

fn publish(access: &Access, token: &str) -> Result<Grant, Denied> {
    grant(access, Permission::Publish, "foo", token, 5_000)
}

fn token_error(granted: Result<Grant, Denied>) -> TokenError {
    match granted {
        Err(Denied::Invalid(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn access_decides_which_permissions_need_a_token() {
    use Permission::*;
    let needs_token = |policy: &str| {
        let access = access_with_secret(&[("ACCESS", policy)]);
        [Publish, Subscribe].map(|permission| {
            let grant = access.grant_without_token(permission, "foo");
            if let Some(grant) = &grant {
                assert_eq!((grant.permission(), grant.channel()), (permission, "foo"));
                assert_eq!((grant.expires(), grant.subject()), (None, None));
                assert_eq!(grant.check(Millis::MAX), Ok(()));
            }
            grant.is_none()
        })
    };
    assert_eq!(needs_token(""), [true, true]);
    assert_eq!(needs_token("token"), [true, true]);
    assert_eq!(needs_token("publish-token"), [true, false]);
    assert_eq!(needs_token("open"), [false, false]);
    assert!(access(&[("ACCESS", "open")]).is_ok(), "without a key");
}

#[test]
fn a_token_grants_only_what_its_claims_list() {
    let access = access_with_secret(&[]);
    let token =
        sign_hs256(&json!({"publish": ["foo"], "subscribe": ["b*"], "exp": 9, "sub": "me"}));
    let ask = |permission, channel| grant(&access, permission, channel, &token, 5_000);
    for (permission, channel) in [(Permission::Publish, "foo"), (Permission::Subscribe, "bar")] {
        let granted = ask(permission, channel).unwrap();
        assert_eq!(
            (granted.permission(), granted.channel()),
            (permission, channel)
        );
        assert_eq!(
            (granted.expires(), granted.subject()),
            (Some(9_000), Some("me"))
        );
    }
    for (permission, channel) in [(Permission::Subscribe, "foo"), (Permission::Publish, "bar")] {
        assert_eq!(ask(permission, channel), Err(Denied::Forbidden(permission)));
    }
    let without_token = access.grant_with(&Library, Permission::Publish, "foo", None, || 5_000);
    assert_eq!(
        without_token.now_or_never(),
        Some(Err(Denied::Missing(Permission::Publish)))
    );
}

#[test]
fn exp_and_nbf_have_no_leeway_for_new_and_remembered_tokens() {
    let access = access_with_secret(&[]);
    let token = sign_hs256(&json!({"publish": ["foo"], "exp": 9, "nbf": 4.5}));
    let at = |now| grant(&access, Permission::Publish, "foo", &token, now);
    assert_eq!(token_error(at(4_499)), TokenError::NotYet);
    assert!(at(4_500).is_ok());
    assert!(at(8_999).is_ok());
    assert_eq!(token_error(at(9_000)), TokenError::Expired);
    assert!(at(8_999).is_ok());
    let without_exp = sign_hs256(&json!({"publish": ["foo"]}));
    assert!(matches!(
        token_error(publish(&access, &without_exp)),
        TokenError::Claims(_)
    ));
}

#[test]
fn a_grant_expires_with_its_token() {
    let token = sign_hs256(&json!({"publish": ["foo"], "exp": 9}));
    let granted = publish(&access_with_secret(&[]), &token).unwrap();
    assert_eq!(granted.check(8_999), Ok(()));
    assert_eq!(granted.check(9_000), Err(TokenError::Expired.into()));
}

/// Takes a second to verify a signature, and counts the signatures.
#[derive(Default)]
struct Slow {
    clock: Cell<Millis>,
    verified: Cell<u32>,
}

impl SignatureVerifier for Slow {
    async fn verify(&self, key: &VerificationKey, message: &str, signature: &[u8]) -> bool {
        self.clock.set(self.clock.get() + 1_000);
        self.verified.set(self.verified.get() + 1);
        Library.verify(key, message, signature).await
    }
}

impl Slow {
    fn publish(&self, access: &Access, token: &str) -> Result<Grant, Denied> {
        let now = || self.clock.get();
        let grant = access.grant_with(self, Permission::Publish, "foo", Some(token), now);
        grant.now_or_never().unwrap()
    }
}

#[test]
fn a_token_that_expires_while_its_signature_is_verified_is_refused() {
    let access = access_with_secret(&[]);
    let token = sign_hs256(&json!({"publish": ["foo"], "exp": 9}));
    let slow = Slow::default();
    slow.clock.set(8_000);
    assert_eq!(
        token_error(slow.publish(&access, &token)),
        TokenError::Expired
    );
    slow.clock.set(8_999);
    assert!(slow.publish(&access, &token).is_ok(), "it is remembered");
}

#[test]
fn the_signature_of_a_remembered_token_is_not_verified_again() {
    let access = access_with_secret(&[]);
    let claims =
        |user: usize| json!({"publish": ["foo"], "exp": 9_999_999, "sub": user.to_string()});
    let tokens: Vec<String> = (0..=1_024).map(|user| sign_hs256(&claims(user))).collect();
    let verifier = Slow::default();
    let verified_by = |token: &str, is_ok| {
        let before = verifier.verified.get();
        assert_eq!(verifier.publish(&access, token).is_ok(), is_ok);
        verifier.verified.get() - before
    };
    for token in &tokens[..1_024] {
        assert_eq!(verified_by(token, true), 1);
    }
    assert_eq!(verified_by(&tokens[0], true), 0);
    assert_eq!(verified_by(&tokens[1_024], true), 1);
    assert_eq!(verified_by(&tokens[0], true), 0);
    assert_eq!(
        verified_by(&tokens[1], true),
        1,
        "it was used least recently"
    );
    let (signed, _) = tokens[0].rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    for _ in 0..2 {
        assert_eq!(verified_by(&unsigned, false), 1, "it is not remembered");
    }
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
    let foreign_issuer = TokenError::Foreign {
        claim: "iss",
        setting: "JWT_ISSUER",
    };
    let foreign_audience = TokenError::Foreign {
        claim: "aud",
        setting: "JWT_AUDIENCE",
    };
    for (bad, error) in [
        (json!({"iss": "you", "aud": "hub"}), &foreign_issuer),
        (json!({"iss": "you", "aud": "a"}), &foreign_issuer),
        (json!({"iss": "me", "aud": "a"}), &foreign_audience),
        (json!({"iss": "me", "aud": ["a"]}), &foreign_audience),
        (json!({"iss": "me", "aud": []}), &foreign_audience),
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
