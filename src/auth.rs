//! Authorization: which requests may publish, and which may subscribe.
//!
//! A client proves its permissions with a token, a JWT (RFC 7519) that was signed with a key of the deployment.
//! [`Access::grant`] verifies a token and returns a [`Grant`] for one channel:
//!
//! 1. `verify` verifies the token: `token` splits it, `keys` selects the key, `signature` verifies the
//!    signature, `claims` reads the claims.
//! 2. The claims say which channels the token permits, and when it is valid.

mod claims;
mod error;
mod grant;
mod json;
mod jwks;
mod keys;
#[cfg(test)]
mod proptests;
mod signature;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod token;
mod verify;

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;
use sha2::{Digest, Sha256};

use self::claims::Claims;
pub use self::error::{Denied, TokenError};
pub use self::grant::Grant;
use self::keys::{MIN_SECRET_BYTES, PUBLIC_KEYS};
use self::signature::{SignatureVerifier, WebCrypto};
use self::verify::TokenVerifier;
use crate::environment::{Environment, SettingError};
use sse_hub::Millis;

/// The setting `ACCESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// `token`: every request to a channel needs a token.
    Token,
    /// `publish-token`: everything except subscribing needs a token.
    PublishToken,
    /// `open`: no request needs a token.
    Open,
}

/// A permission on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To publish, to end or delete the channel, and to read its history and its counters.
    Publish,
    /// To subscribe.
    Subscribe,
}

impl Permission {
    /// The claim that lists the channels on which a token has this permission.
    pub fn claim(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// The cookie that may hold a token. Browsers also send cookies with requests that pages of other sites make. A token
/// in a cookie therefore permits subscribing only: otherwise any site could publish with it.
pub const COOKIE: &str = "sse_broadcaster_token";

/// The longest token, in characters. A cookie can hold half of it.
pub const MAX_TOKEN_CHARS: usize = 8_192;

/// The number of verified tokens that are remembered.
const REMEMBERED_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// The SHA-256 of a token. It is smaller than the token, and the time that a comparison takes reveals nothing about the
/// token.
type TokenDigest = [u8; 32];

/// The authorization rules of a deployment.
#[derive(Clone, Debug)]
pub struct Access {
    policy: Policy,
    verifier: TokenVerifier,
    /// The claims of the tokens that were verified last. A publisher sends the same token again and again.
    remembered: RefCell<LruCache<TokenDigest, Rc<Claims>>>,
}

impl Access {
    /// Reads `ACCESS`, `JWT_SECRET`, `JWT_KEYS`, `JWT_ISSUER` and `JWT_AUDIENCE`.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let policy = environment.choice(
            "ACCESS",
            Policy::Token,
            "token, publish-token or open",
            |name| match name {
                "token" => Some(Policy::Token),
                "publish-token" => Some(Policy::PublishToken),
                "open" => Some(Policy::Open),
                _ => None,
            },
        )?;
        let verifier = TokenVerifier::read(environment)?;
        if policy != Policy::Open && verifier.keys.is_empty() {
            return Err(SettingError {
                name: "JWT_SECRET",
                found: "is not set".to_owned(),
                expected: format!(
                    "a secret of at least {MIN_SECRET_BYTES} bytes, unless JWT_KEYS is set or ACCESS is open"
                ),
            });
        }
        Ok(Self {
            policy,
            verifier,
            remembered: RefCell::new(LruCache::new(REMEMBERED_TOKENS)),
        })
    }

    /// Imports the keys into Web Crypto, if that has not been done yet. Fails if the platform rejects a key. The Worker
    /// calls this before it answers a request, so that every answer of a deployment with an invalid key says so.
    pub async fn import_keys(&self) -> Result<(), SettingError> {
        for key in self.verifier.keys.iter() {
            WebCrypto::import(key).await.map_err(|_| SettingError {
                name: key.material.setting(),
                found: format!("has an invalid key for {}", key.algorithm.name()),
                expected: PUBLIC_KEYS.to_owned(),
            })?;
        }
        Ok(())
    }

    /// Returns a grant if this deployment requires no token for `permission`.
    pub fn grant_without_token(&self, permission: Permission, channel: &str) -> Option<Grant> {
        let needs_token = match self.policy {
            Policy::Open => false,
            Policy::PublishToken => permission == Permission::Publish,
            Policy::Token => true,
        };
        (!needs_token).then(|| Grant::without_token(permission, channel))
    }

    /// Returns a grant for the code of the Worker itself, which needs no token whatever `ACCESS` is.
    pub fn grant_to_own_code(&self, permission: Permission, channel: &str) -> Grant {
        Grant::without_token(permission, channel)
    }

    /// Returns a grant if `token` is valid and has `permission` on `channel`. `now` reads the clock.
    ///
    /// This requires a token whatever `ACCESS` is, so call [`grant_without_token`](Self::grant_without_token) first.
    pub async fn grant(
        &self,
        permission: Permission,
        channel: &str,
        token: Option<&str>,
        now: impl FnOnce() -> Millis,
    ) -> Result<Grant, Denied> {
        self.grant_with(&WebCrypto, permission, channel, token, now)
            .await
    }

    /// [`grant`](Self::grant) with any verifier of signatures.
    async fn grant_with(
        &self,
        signatures: &impl SignatureVerifier,
        permission: Permission,
        channel: &str,
        token: Option<&str>,
        now: impl FnOnce() -> Millis,
    ) -> Result<Grant, Denied> {
        let claims = self
            .valid_claims(signatures, permission, token, now)
            .await?;
        grant_from(&claims, permission, channel).ok_or(Denied::Forbidden(permission))
    }

    /// Returns a grant for each of `channels` if `token` is valid and has `permission` on all of them. Otherwise this
    /// is like [`grant`](Self::grant), and names the first channel that the token does not permit.
    pub async fn grant_all(
        &self,
        permission: Permission,
        channels: &[String],
        token: Option<&str>,
        now: impl FnOnce() -> Millis,
    ) -> Result<Vec<Grant>, Denied> {
        self.grant_all_with(&WebCrypto, permission, channels, token, now)
            .await
    }

    /// [`grant_all`](Self::grant_all) with any verifier of signatures.
    async fn grant_all_with(
        &self,
        signatures: &impl SignatureVerifier,
        permission: Permission,
        channels: &[String],
        token: Option<&str>,
        now: impl FnOnce() -> Millis,
    ) -> Result<Vec<Grant>, Denied> {
        let claims = self
            .valid_claims(signatures, permission, token, now)
            .await?;
        let granted = |channel: &String| {
            grant_from(&claims, permission, channel).ok_or_else(|| Denied::ForbiddenChannel {
                permission,
                channel: channel.clone(),
            })
        };
        channels.iter().map(granted).collect()
    }

    /// The claims of a token that is valid now.
    async fn valid_claims(
        &self,
        signatures: &impl SignatureVerifier,
        permission: Permission,
        token: Option<&str>,
        now: impl FnOnce() -> Millis,
    ) -> Result<Rc<Claims>, Denied> {
        let token = token.ok_or(Denied::Missing(permission))?;
        let claims = self.verified_claims(token, signatures).await?;
        // The token may have expired while its signature was being verified, so the clock is read now.
        claims.check_times(now())?;
        Ok(claims)
    }

    /// The claims of a token, from memory if it was verified before. Does not check the times.
    async fn verified_claims(
        &self,
        token: &str,
        signatures: &impl SignatureVerifier,
    ) -> Result<Rc<Claims>, TokenError> {
        if token.len() > MAX_TOKEN_CHARS {
            return Err(TokenError::TooLong);
        }
        let digest = TokenDigest::from(Sha256::digest(token));
        if let Some(claims) = self.remembered.borrow_mut().get(&digest) {
            return Ok(claims.clone());
        }
        let claims = Rc::new(self.verifier.verify(token, signatures).await?);
        self.remembered.borrow_mut().put(digest, claims.clone());
        Ok(claims)
    }
}

/// The grant that the claims of a valid token give for `channel`, if they permit it.
fn grant_from(claims: &Claims, permission: Permission, channel: &str) -> Option<Grant> {
    let granted = || {
        let subject = claims.sub.clone();
        Grant::from_token(permission, channel, claims.expires(), subject)
    };
    claims.permits(permission, channel).then(granted)
}
