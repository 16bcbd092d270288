//! What the tests of tokens share: deployments, base64url, and the jsonwebtoken library.
//!
//! The library verifies the signatures in place of Web Crypto. It is also the oracle: [`grant`] verifies each token a
//! second time with the library alone, and the two results must be the same.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};

use super::keys::{Algorithm, KeyMaterial, VerificationKey};
use super::token::EncodedToken;
use super::*;

/// The access rules of a deployment with these variables.
pub fn access(variables: &[(&str, &str)]) -> Result<Access, SettingError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Access::read(&Environment::new(&variable))
}

/// Encodes bytes or text in base64url.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// [`Access::grant`] at the time `now`, with signatures verified by the library. Fails the test if the library comes to
/// another result.
pub fn grant(
    access: &Access,
    permission: Permission,
    channel: &str,
    token: &str,
    now: Millis,
) -> Result<Grant, Denied> {
    assert_library_agrees(access, token);
    access
        .grant_with(&Library, permission, channel, Some(token), || now)
        .now_or_never()
        .unwrap()
}

/// Verifies signatures with jsonwebtoken.
pub struct Library;

impl SignatureVerifier for Library {
    async fn verify(&self, key: &VerificationKey, message: &str, signature: &[u8]) -> bool {
        let (key, algorithm) = (decoding_key(key), library_algorithm(key.algorithm));
        let signature = base64url(signature);
        jsonwebtoken::crypto::verify(&signature, message.as_bytes(), &key, algorithm)
            .unwrap_or(false)
    }
}

fn decoding_key(key: &VerificationKey) -> DecodingKey {
    match &key.material {
        KeyMaterial::Secret(secret) => DecodingKey::from_secret(secret),
        KeyMaterial::Jwk(jwk) => {
            DecodingKey::from_jwk(&serde_json::from_str(jwk).unwrap()).unwrap()
        }
    }
}

fn library_algorithm(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.name().parse().unwrap()
}

fn assert_library_agrees(access: &Access, token: &str) {
    let ours = access.verifier.verify(token, &Library);
    let ours = ours.now_or_never().unwrap();
    let theirs = verify_with_library(access, token);
    let agree = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        // The texts of these errors differ, and the library does not say which part of a token is invalid.
        (Err(TokenError::Header(_) | TokenError::Claims(_)), Err(TokenError::Claims(_))) => true,
        (Err(TokenError::Header(_)), Err(TokenError::Header(_))) => true,
        (Err(ours), Err(theirs)) => ours == theirs,
        _ => false,
    };
    assert!(agree, "{token}: {ours:?}, but the library: {theirs:?}");
}

/// Does the same as [`TokenVerifier::verify`], with the library. The library has no rules to select a key, so the hub's
/// rules do that.
fn verify_with_library(access: &Access, token: &str) -> Result<Claims, TokenError> {
    let key = access
        .verifier
        .keys
        .find(&EncodedToken::split(token)?.header()?)?;
    let mut validation = Validation::new(library_algorithm(key.algorithm));
    validation.validate_exp = false;
    validation.validate_aud = false;
    let mut required = Vec::new();
    if let Some(issuer) = &access.verifier.required.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = &access.verifier.required.audience {
        validation.set_audience(&[audience]);
        validation.validate_aud = true;
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    let verified = jsonwebtoken::decode::<Claims>(token, &decoding_key(key), &validation);
    Ok(verified
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature
            // Web Crypto would not import such a key.
            | ErrorKind::InvalidEddsaKey
            | ErrorKind::InvalidEcdsaKey
            | ErrorKind::InvalidRsaKey(_) => TokenError::Signature,
            ErrorKind::InvalidIssuer => TokenError::WrongClaim {
                claim: "iss",
                setting: "JWT_ISSUER",
            },
            ErrorKind::InvalidAudience => TokenError::WrongClaim {
                claim: "aud",
                setting: "JWT_AUDIENCE",
            },
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => {
                TokenError::Claims(error.to_string())
            }
            _ => TokenError::Malformed,
        })?
        .claims)
}
