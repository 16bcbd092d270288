//! The keys that verify tokens. A key says which algorithm it is for; a token that names another is refused.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::claims::{Claims, TEXT, member};
use super::jwks::public_keys;
use crate::environment::{Environment, SettingError};
use crate::logging::printable;

/// The shortest `JWT_SECRET`, in bytes: as long as what HS256 makes of it (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// What `JWT_KEYS` has to be.
pub const PUBLIC_KEYS: &str = "a JWK Set of public keys for RS256, ES256 or EdDSA (RFC 7517)";

/// Why a token is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_CHARS`](super::MAX_TOKEN_CHARS).
    #[error("it is longer than {max} characters", max = super::MAX_TOKEN_CHARS)]
    TooLong,
    /// No JWT at all.
    #[error(
        "it is no JWT: three parts in base64url with dots between them, and the first two JSON"
    )]
    Unreadable,
    /// Its header has a parameter of the wrong type, or twice.
    #[error("its header cannot be used ({0})")]
    Header(String),
    /// There are header parameters that have to be understood, and are not.
    #[error("its header has \"crit\", and nothing in that is understood here")]
    Critical,
    /// No key is for it.
    #[error("this hub has no key for it, for the algorithm {0}")]
    UnknownKey(String),
    /// Several keys could be for it.
    #[error("several keys of this hub could be for it: its header has to have a \"kid\"")]
    AmbiguousKey,
    /// Somebody else has signed it, or it was changed.
    #[error("its signature is not that of this hub's key")]
    Signature,
    /// A claim is missing, given twice, or of the wrong type.
    #[error("its claims cannot be used ({0})")]
    Claims(String),
    /// `iss` or `aud` are not what they have to be.
    #[error("its claim \"{claim}\" is not what {setting} says")]
    Foreign {
        /// Which one.
        claim: &'static str,
        /// What it has to be.
        setting: &'static str,
    },
    /// `exp` has come.
    #[error("it has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("it is not valid yet")]
    NotYet,
}

/// One key, and what it asks of a token.
#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    material: KeyMaterial,
    validation: Validation,
}

/// A key for who checks signatures outside of the library.
#[derive(Clone)]
pub enum KeyMaterial {
    /// The bytes of `JWT_SECRET`.
    Secret(Vec<u8>),
    /// A JWK that has nothing but the key.
    Jwk(String),
}

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A signature that nobody has looked at, with the one key that it has to be of.
pub struct Unverified<'a> {
    /// Which of [`Keys::materials`] it is.
    pub number: usize,
    /// What it is for.
    pub algorithm: Algorithm,
    /// What is signed.
    pub message: &'a str,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

/// All keys of a deployment.
#[derive(Clone, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads `JWT_SECRET`, `JWT_KEYS`, `JWT_ISSUER` and `JWT_AUDIENCE`. No error shows a secret.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        let expects = Expected {
            issuer: environment.get("JWT_ISSUER"),
            audience: environment.get("JWT_AUDIENCE"),
        };
        let mut keys = Vec::new();
        if let Some(secret) = environment.get("JWT_SECRET") {
            if secret.len() < MIN_SECRET_BYTES {
                return Err(SettingError {
                    name: "JWT_SECRET",
                    found: format!("has {} bytes", secret.len()),
                    expected: format!("a secret of at least {MIN_SECRET_BYTES}"),
                });
            }
            let key = DecodingKey::from_secret(secret.as_bytes());
            let material = KeyMaterial::Secret(secret.into_bytes());
            keys.push(expects.key(None, Algorithm::HS256, key, material));
        }
        if let Some(text) = environment.get("JWT_KEYS") {
            let set = public_keys(&text).map_err(|found| SettingError {
                name: "JWT_KEYS",
                found,
                expected: PUBLIC_KEYS.to_owned(),
            })?;
            for key in set {
                let material = KeyMaterial::Jwk(key.jwk);
                keys.push(expects.key(key.id, key.algorithm, key.key, material));
            }
        }
        Ok(Self(keys))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims of a token that one of the keys has signed. Its times are not looked at.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let (_, key) = self.find(token)?;
        let token = jsonwebtoken::decode(token, &key.key, &key.validation).map_err(why)?;
        Ok(token.claims)
    }

    /// All keys, each with its algorithm.
    pub fn materials(&self) -> impl Iterator<Item = (Algorithm, &KeyMaterial)> {
        self.0.iter().map(|key| (key.algorithm, &key.material))
    }

    /// The signature of a token that could be one of this deployment's.
    pub fn unverified<'a>(&self, token: &'a str) -> Result<Unverified<'a>, TokenError> {
        let (number, key) = self.find(token)?;
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Unreadable)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
        Ok(Unverified {
            number,
            algorithm: key.algorithm,
            message,
            signature: signature.map_err(|_| TokenError::Unreadable)?,
        })
    }

    /// The key that a token has to be signed with, by its header. One that names its key (`kid`) gets no other.
    fn find(&self, token: &str) -> Result<(usize, &Key), TokenError> {
        let header = TokenHeader::read(token)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let algorithm: Option<Algorithm> = header.alg.parse().ok();
        let fits = |(_, key): &(usize, &Key)| {
            let named = header.kid.is_none() || header.kid == key.id;
            named && Some(key.algorithm) == algorithm
        };
        let mut fitting = self.0.iter().enumerate().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
            (None, _) => {
                let kid = header.kid.map(|kid| format!(" with the kid {kid:?}"));
                let wanted = format!("{:?}{}", header.alg, kid.unwrap_or_default());
                Err(TokenError::UnknownKey(printable(&wanted)))
            }
        }
    }
}

/// What counts of a token's header. The library would take `null` for a parameter that is left out.
#[derive(Deserialize)]
struct TokenHeader {
    #[serde(deserialize_with = "alg")]
    alg: String,
    #[serde(default, deserialize_with = "kid")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "crit")]
    crit: Option<IgnoredAny>,
}

fn alg<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    member("alg", TEXT, value)
}

fn kid<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    member("kid", TEXT, value).map(Some)
}

fn crit<'de, D: Deserializer<'de>>(value: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(value).map(Some)
}

impl TokenHeader {
    fn read(token: &str) -> Result<Self, TokenError> {
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Unreadable);
        };
        let header = BASE64_URL_SAFE_NO_PAD.decode(header);
        let header = header.map_err(|_| TokenError::Unreadable)?;
        serde_json::from_slice(&header)
            .map_err(|error| TokenError::Header(printable(&error.to_string())))
    }
}

/// What tokens have to say of where they come from and whom they are for.
struct Expected {
    issuer: Option<String>,
    audience: Option<String>,
}

impl Expected {
    fn key(
        &self,
        id: Option<String>,
        algorithm: Algorithm,
        key: DecodingKey,
        material: KeyMaterial,
    ) -> Key {
        let mut validation = Validation::new(algorithm);
        // The times are compared with this hub's own clock, without leeway.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = self.audience.is_some();
        let mut required = Vec::new();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Key {
            id,
            algorithm,
            key,
            material,
            validation,
        }
    }
}

fn why(error: jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Foreign {
            claim: "iss",
            setting: "JWT_ISSUER",
        },
        ErrorKind::InvalidAudience => TokenError::Foreign {
            claim: "aud",
            setting: "JWT_AUDIENCE",
        },
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => {
            TokenError::Claims(printable(&error.to_string()))
        }
        _ => TokenError::Unreadable,
    }
}
