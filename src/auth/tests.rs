//! Policies, grants and their times, and remembered tokens. The module `tokens` tests the rules for the tokens
//! themselves.

mod tokens;

use std::cell::Cell;

use futures_util::FutureExt;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::keys::VerificationKey;
use super::test_support::{Library, access, grant};
use super::*;

const SECRET: &str = "a secret of thirty-two characters";

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
fn a_token_grants_several_channels_only_if_its_claims_list_all_of_them() {
    let access = access_with_secret(&[]);
    let token = sign_hs256(&json!({"publish": ["foo", "b*"], "exp": 9, "sub": "me"}));
    let ask = |permission, channels: &[&str], token: Option<&str>, now: Millis| {
        let channels: Vec<String> = channels.iter().map(|id| (*id).to_owned()).collect();
        let granted = access.grant_all_with(&Library, permission, &channels, token, || now);
        granted.now_or_never().unwrap()
    };
    let publish = |channels| ask(Permission::Publish, channels, Some(&token), 5_000);
    let grants = publish(&["bar", "foo"]).unwrap();
    let found: Vec<_> = grants
        .iter()
        .map(|grant| (grant.channel(), grant.permission(), grant.expires()))
        .collect();
    let expected = |channel| (channel, Permission::Publish, Some(9_000));
    assert_eq!(found, [expected("bar"), expected("foo")]);
    assert!(grants.iter().all(|grant| grant.subject() == Some("me")));
    let forbidden = |permission, channel: &str| {
        Err(Denied::ForbiddenChannel {
            permission,
            channel: channel.to_owned(),
        })
    };
    assert_eq!(
        publish(&["foo", "x", "bar", "y"]),
        forbidden(Permission::Publish, "x")
    );
    assert_eq!(
        ask(Permission::Subscribe, &["foo", "bar"], Some(&token), 5_000),
        forbidden(Permission::Subscribe, "foo")
    );
    assert_eq!(
        ask(Permission::Publish, &["foo"], None, 5_000),
        Err(Denied::Missing(Permission::Publish))
    );
    assert_eq!(
        ask(Permission::Publish, &["foo", "x"], Some(&token), 9_000),
        Err(TokenError::Expired.into())
    );
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
