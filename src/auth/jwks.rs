//! `JWT_KEYS`: a JWK Set (RFC 7517) -> public keys.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

/// The shortest modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// The size of a P-256 key with its two coordinates, in bytes (SEC 1, section 2.3.3).
const P256_BYTES: usize = 65;

/// The size of an Ed25519 key, in bytes (RFC 8032).
const ED25519_BYTES: usize = 32;

/// A key that verifies signatures.
pub struct PublicKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// The one algorithm that it is for.
    pub algorithm: Algorithm,
    /// The key as the library wants it.
    pub key: DecodingKey,
    /// The key as a JWK that has nothing but the key.
    pub jwk: String,
}

/// The keys of a set that can verify tokens here; others in it are passed over. Fails with what is wrong with it, without
/// showing any of it: a secret could be there by mistake.
pub fn public_keys(text: &str) -> Result<Vec<PublicKey>, String> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("is no JSON ({error})"))?;
    let keys = json.get("keys").and_then(|keys| keys.as_array());
    let keys = keys.ok_or("has no list \"keys\"")?;
    if keys.iter().any(|key| key.get("d").is_some()) {
        return Err("holds a private key (\"d\")".to_owned());
    }
    let algorithm = |key: &serde_json::Value| Some(key.get("alg")?.as_str()?.to_owned());
    let algorithms: Vec<Option<String>> = keys.iter().map(algorithm).collect();
    let set: JwkSet =
        serde_json::from_value(json).map_err(|_| "has a key of another form".to_owned())?;
    let usable = set.keys.iter().zip(algorithms).filter_map(public_key);
    let usable: Vec<PublicKey> = usable.collect();
    if usable.is_empty() {
        return Err("holds no key that can be used".to_owned());
    }
    Ok(usable)
}

/// `named` is its `alg`, of which the library does not know all.
fn public_key((jwk, named): (&Jwk, Option<String>)) -> Option<PublicKey> {
    let (algorithm, names): (_, &[&str]) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, &["RS256"]),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, &["ES256"])
        }
        // The second is its name since RFC 9864.
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, &["EdDSA", "Ed25519"])
        }
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures =
        !matches!(&common.public_key_use, Some(other) if *other != PublicKeyUse::Signature);
    let operations = common.key_operations.as_ref();
    let may_verify = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
    let same_algorithm = named.is_none_or(|named| names.contains(&named.as_str()));
    if !(for_signatures && may_verify && same_algorithm) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let has_its_size = match (algorithm, key.kind()) {
        (_, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            n.iter().skip_while(|byte| **byte == 0).count() >= MIN_RSA_BYTES
        }
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => key.len() == ED25519_BYTES,
        (_, DecodingKeyKind::SecretOrDer(key)) => key.len() == P256_BYTES,
    };
    has_its_size.then_some(PublicKey {
        id: common.key_id.clone(),
        algorithm,
        key,
        jwk: serde_json::to_string(&jwk.algorithm).ok()?,
    })
}
