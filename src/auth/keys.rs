//! The keys that verify tokens.
//!
//! Each key is for one algorithm. The header of a token selects a key, but it never selects an algorithm for a key.

use std::cell::OnceCell;
use std::fmt;

use web_sys::CryptoKey;

use super::TokenError;
use super::jwks::public_keys;
use super::token::TokenHeader;
use crate::environment::{Environment, SettingError};
use crate::logging::printable;

/// The shortest `JWT_SECRET`, in bytes: the size of an HS256 signature (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// What `JWT_KEYS` must be.
pub const PUBLIC_KEYS: &str = "a JWK Set of public keys for RS256, ES256 or EdDSA (RFC 7517)";

/// A signature algorithm (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// EdDSA with Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The name of the algorithm in the header of a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key in a form that Web Crypto can import.
#[derive(Clone)]
pub enum KeyMaterial {
    /// The bytes of `JWT_SECRET`.
    Secret(Vec<u8>),
    /// A JWK that contains only the public key.
    Jwk(String),
}

impl KeyMaterial {
    /// The setting that the key was read from.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Secret(_) => "JWT_SECRET",
            Self::Jwk(_) => "JWT_KEYS",
        }
    }
}

impl fmt::Debug for KeyMaterial {
    /// Shows no secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

/// A key that verifies signatures of one algorithm.
#[derive(Clone, Debug)]
pub struct VerificationKey {
    id: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub material: KeyMaterial,
    /// The key as Web Crypto has imported it, if it has.
    pub imported: OnceCell<CryptoKey>,
}

impl VerificationKey {
    /// A key that is not imported yet. Tokens refer to it by the `kid` in `id`.
    pub fn new(id: Option<String>, algorithm: Algorithm, material: KeyMaterial) -> Self {
        Self {
            id,
            algorithm,
            material,
            imported: OnceCell::new(),
        }
    }

    /// Whether a token with this header may be signed with this key. A token that has a `kid` matches only the key that
    /// has the same one.
    fn matches(&self, header: &TokenHeader) -> bool {
        header.alg == self.algorithm.name() && (header.kid.is_none() || header.kid == self.id)
    }
}

/// All keys of a deployment.
#[derive(Clone, Debug)]
pub struct VerificationKeys(Vec<VerificationKey>);

impl VerificationKeys {
    /// Reads `JWT_SECRET` and `JWT_KEYS`. The errors show no secret.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let mut keys = Vec::new();
        if let Some(secret) = environment.get("JWT_SECRET") {
            if secret.len() < MIN_SECRET_BYTES {
                return Err(SettingError {
                    name: "JWT_SECRET",
                    found: format!("has {} bytes", secret.len()),
                    expected: format!("a secret of at least {MIN_SECRET_BYTES} bytes"),
                });
            }
            let material = KeyMaterial::Secret(secret.into_bytes());
            keys.push(VerificationKey::new(None, Algorithm::Hs256, material));
        }
        if let Some(text) = environment.get("JWT_KEYS") {
            keys.extend(public_keys(&text).map_err(|found| SettingError {
                name: "JWT_KEYS",
                found,
                expected: PUBLIC_KEYS.to_owned(),
            })?);
        }
        Ok(Self(keys))
    }

    /// Whether the deployment has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.0.iter()
    }

    /// The one key that must have signed a token with this header.
    pub fn find(&self, header: &TokenHeader) -> Result<&VerificationKey, TokenError> {
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let mut matching = self.0.iter().filter(|key| key.matches(header));
        match (matching.next(), matching.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
            (None, _) => {
                let kid = header.kid.as_ref();
                let kid = kid.map(|kid| format!(", kid {kid:?}"));
                let wanted = format!("alg {:?}{}", header.alg, kid.unwrap_or_default());
                Err(TokenError::UnknownKey(printable(&wanted)))
            }
        }
    }
}
