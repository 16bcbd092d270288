//! The keys that verify tokens. A key says which algorithm it is for; a token that names another is refused.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Header, Validation};

use super::claims::Claims;
use crate::environment::{Environment, SettingError};

/// The shortest `JWT_SECRET`, in bytes: as long as what HS256 makes of it (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// The shortest modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// The size of an Ed25519 key, in bytes (RFC 8032).
const ED25519_BYTES: usize = 32;

/// Why a token is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_CHARS`](super::MAX_TOKEN_CHARS).
    #[error("it is longer than {max} characters", max = super::MAX_TOKEN_CHARS)]
    TooLong,
    /// No JWT at all, or of an algorithm that nobody here knows.
    #[error("it is no JWT that can be read ({0})")]
    Unreadable(String),
    /// There are header parameters that have to be understood, and are not.
    #[error("its header has \"crit\", and nothing in that is understood here")]
    Critical,
    /// No key is for it.
    #[error("this hub has no key for it: none for {0}")]
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
    #[error("its claim \"{0}\" is not what this hub expects")]
    Foreign(&'static str),
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
    validation: Validation,
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
            keys.push(expects.key(None, Algorithm::HS256, key));
        }
        if let Some(text) = environment.get("JWT_KEYS") {
            let set = public_keys(&text).map_err(|found| SettingError {
                name: "JWT_KEYS",
                found,
                expected: "a JWK Set of public keys for RS256, ES256 or EdDSA (RFC 7517)"
                    .to_owned(),
            })?;
            for (id, algorithm, key) in set {
                keys.push(expects.key(id, algorithm, key));
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
        let header = jsonwebtoken::decode_header(token)
            .map_err(|error| TokenError::Unreadable(error.to_string()))?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let Key {
            key, validation, ..
        } = self.find(&header)?;
        let token = jsonwebtoken::decode(token, key, validation).map_err(why)?;
        Ok(token.claims)
    }

    /// The key that a token with this header has to be signed with. One that names its key (`kid`) gets no other.
    fn find(&self, header: &Header) -> Result<&Key, TokenError> {
        let fits = |key: &&Key| {
            let named = header.kid.is_none() || header.kid == key.id;
            named && key.algorithm == header.alg
        };
        let mut fitting = self.0.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(TokenError::AmbiguousKey),
            (None, _) => {
                let kid = header.kid.as_ref();
                let kid = kid.map(|kid| format!(" with the kid {kid:?}"));
                let algorithm = header.alg;
                Err(TokenError::UnknownKey(format!(
                    "{algorithm:?}{}",
                    kid.unwrap_or_default()
                )))
            }
        }
    }
}

/// What tokens have to say of where they come from and whom they are for.
struct Expected {
    issuer: Option<String>,
    audience: Option<String>,
}

impl Expected {
    fn key(&self, id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Key {
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
            validation,
        }
    }
}

fn why(error: jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Foreign("iss"),
        ErrorKind::InvalidAudience => TokenError::Foreign("aud"),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => {
            TokenError::Claims(error.to_string())
        }
        _ => TokenError::Unreadable(error.to_string()),
    }
}

type PublicKey = (Option<String>, Algorithm, DecodingKey);

/// The keys of a JWK Set that can verify tokens here; others in it are passed over. Fails with what is wrong with it.
fn public_keys(text: &str) -> Result<Vec<PublicKey>, String> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("is no JSON ({error})"))?;
    let keys = json.get("keys").and_then(|keys| keys.as_array());
    let keys = keys.ok_or("has no list \"keys\"")?;
    if keys.iter().any(|key| key.get("d").is_some()) {
        return Err("holds a private key (\"d\")".to_owned());
    }
    // What the library says of it could show a secret that was put there by mistake.
    let set: JwkSet =
        serde_json::from_value(json).map_err(|_| "has a key of another form".to_owned())?;
    let usable: Vec<PublicKey> = set.keys.iter().filter_map(public_key).collect();
    if usable.is_empty() {
        return Err("holds no key that can be used".to_owned());
    }
    Ok(usable)
}

fn public_key(jwk: &Jwk) -> Option<PublicKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures =
        !matches!(&common.public_key_use, Some(other) if *other != PublicKeyUse::Signature);
    let verify = KeyOperations::Verify;
    let may_verify = common
        .key_operations
        .as_ref()
        .is_none_or(|all| all.contains(&verify));
    let same_algorithm = common.key_algorithm.is_none_or(|given| given == named);
    if !(for_signatures && may_verify && same_algorithm) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let has_its_size = match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            n.len() >= MIN_RSA_BYTES
        }
        // The library would panic.
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => key.len() == ED25519_BYTES,
        _ => true,
    };
    if !has_its_size {
        return None;
    }
    // Makes the library read the key: a point that is not on the curve is seen now.
    jsonwebtoken::crypto::verify("", b"", &key, algorithm).ok()?;
    Some((common.key_id.clone(), algorithm, key))
}
