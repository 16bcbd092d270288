//! Who may publish, and who may listen: tokens, and what they permit. Pure: time comes in as a value.
//!
//! A token is a JWT (RFC 7519). Which key, and with it which algorithm, verifies it is the deployment's to say
//! ([`keys`]); what it permits stands in its claims ([`claims`]).

mod claims;
mod jwks;
mod keys;
#[cfg(test)]
mod proptests;
pub mod signature;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use jsonwebtoken::Algorithm;
use lru::LruCache;
use sha2::{Digest as _, Sha256};

use self::claims::Claims;
use self::keys::Keys;
pub use self::keys::{KeyMaterial, PUBLIC_KEYS, TokenError, Unverified};
use crate::environment::{Environment, SettingError};
use sse_hub::Millis;

/// The setting `ACCESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// `token`: nobody publishes or listens without one.
    Token,
    /// `publish-token`: nobody publishes without one; anyone may listen.
    PublishToken,
    /// `open`: anyone may do anything.
    Open,
}

/// What a token can permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// To publish, to end the channel, to read its history and its counters.
    Publish,
    /// To listen.
    Subscribe,
}

impl Permission {
    /// The claim that lists the channels it is for.
    pub fn claim(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }

    fn cookie_hint(self) -> String {
        match self {
            Self::Publish => String::new(),
            Self::Subscribe => format!(", or as the cookie \"{COOKIE}\""),
        }
    }
}

/// The cookie that may carry a token. A browser sends it by itself, which is why it is good for listening only: another
/// site's page could make the browser publish with it.
pub const COOKIE: &str = "sse_broadcaster_token";

/// Why a request may not do what it wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error(
        "This takes a token whose claim \"{claim}\" lists this channel. Send one as \"Authorization: Bearer …\", or as the parameter \"token\"{cookie}.",
        claim = .0.claim(),
        cookie = .0.cookie_hint()
    )]
    Missing(Permission),
    /// The token proves nothing.
    #[error("The token cannot be used: {0}. Send one that is valid now, and signed for this hub.")]
    Invalid(#[from] TokenError),
    /// The token is valid, but not for this.
    #[error("The token is not for this: its claim \"{claim}\" does not list this channel.", claim = .0.claim())]
    Forbidden(Permission),
}

/// What a request may do, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// When it ends; `None` where no token was needed.
    pub expires: Option<Millis>,
    /// The token's `sub`.
    pub subject: Option<String>,
}

impl Grant {
    /// Fails where it has ended by `now`.
    pub fn check(&self, now: Millis) -> Result<(), Denied> {
        match self.expires {
            Some(expires) if now >= expires => Err(TokenError::Expired.into()),
            _ => Ok(()),
        }
    }
}

/// The deployment's rules.
#[derive(Clone, Debug)]
pub struct Access {
    policy: Policy,
    keys: Keys,
    /// What the tokens say that were verified last: a publisher comes with the same one again and again.
    verified: RefCell<LruCache<Digest, Rc<Claims>>>,
}

/// The SHA-256 of a token: as good as the token itself, smaller, and it gives away no secret by how long it is compared.
type Digest = [u8; 32];

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

/// The longest token, in characters. What fits a cookie is half of it.
const MAX_TOKEN_CHARS: usize = 8_192;

/// How many tokens are remembered.
const REMEMBERED_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

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
        let keys = Keys::read(environment)?;
        if policy != Policy::Open && keys.is_empty() {
            return Err(SettingError {
                name: "JWT_SECRET",
                found: "is not set".to_owned(),
                expected: format!(
                    "a secret of at least {} bytes, or JWT_KEYS a JWK Set, unless ACCESS is open",
                    keys::MIN_SECRET_BYTES
                ),
            });
        }
        Ok(Self {
            policy,
            keys,
            verified: RefCell::new(LruCache::new(REMEMBERED_TOKENS)),
        })
    }

    /// Whether that takes a token here. Where it does not, none is looked at.
    pub fn needs_token(&self, permission: Permission) -> bool {
        match self.policy {
            Policy::Open => false,
            Policy::PublishToken => permission == Permission::Publish,
            Policy::Token => true,
        }
    }

    /// All keys, each with its algorithm, for who verifies signatures.
    pub fn materials(&self) -> impl Iterator<Item = (Algorithm, &KeyMaterial)> {
        self.keys.materials()
    }

    /// The signature of `token`, where it has to be verified before [`grant`](Self::grant) is called: not that of a token
    /// that is remembered, or that is refused for what it looks like.
    pub fn unverified<'a>(&self, token: &'a str) -> Option<Unverified<'a>> {
        if self.remembered(token).ok()?.is_some() {
            return None;
        }
        self.keys.unverified(token).ok()
    }

    /// What `token` permits to do with `channel` at `now`, if it permits that.
    pub fn grant(
        &self,
        permission: Permission,
        channel: &str,
        token: Option<&str>,
        now: Millis,
    ) -> Result<Grant, Denied> {
        let claims = self.verify(token.ok_or(Denied::Missing(permission))?, now)?;
        if !claims.permits(permission, channel) {
            return Err(Denied::Forbidden(permission));
        }
        Ok(Grant {
            expires: Some(claims.expires()),
            subject: claims.sub.clone(),
        })
    }

    fn verify(&self, token: &str, now: Millis) -> Result<Rc<Claims>, TokenError> {
        let claims = self.signed_claims(token)?;
        if now >= claims.expires() {
            return Err(TokenError::Expired);
        }
        if claims.not_before().is_some_and(|from| now < from) {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }

    /// What a token of this hub's says, whether it is valid just now or not.
    fn signed_claims(&self, token: &str) -> Result<Rc<Claims>, TokenError> {
        if let Some(claims) = self.remembered(token)? {
            return Ok(claims);
        }
        let claims = Rc::new(self.keys.verify(token)?);
        let mut verified = self.verified.borrow_mut();
        verified.put(digest(token), claims.clone());
        Ok(claims)
    }

    fn remembered(&self, token: &str) -> Result<Option<Rc<Claims>>, TokenError> {
        if token.len() > MAX_TOKEN_CHARS {
            return Err(TokenError::TooLong);
        }
        Ok(self.verified.borrow_mut().get(&digest(token)).cloned())
    }
}
