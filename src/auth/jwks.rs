//! `JWT_KEYS`: reads the public keys of a JWK Set (RFC 7517).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::Object;
use super::keys::{Algorithm, KeyMaterial, VerificationKey};

/// The shortest modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// The size of both coordinates of a P-256 key together, in bytes.
const P256_BYTES: usize = 64;

/// The size of an Ed25519 key, in bytes (RFC 8032).
const ED25519_BYTES: usize = 32;

/// The members of a JWK that say what the key is for.
#[derive(Deserialize)]
pub struct KeyAttributes {
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
}

impl KeyAttributes {
    /// Whether the key may verify signatures of `algorithm`.
    fn permit(&self, algorithm: Algorithm) -> bool {
        let names = names_in_keys(algorithm);
        self.alg
            .as_ref()
            .is_none_or(|alg| names.contains(&alg.as_str()))
            && self.usage.as_ref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|name| name == "verify"))
    }
}

/// The values of `alg` that a JWK for `algorithm` may have.
fn names_in_keys(algorithm: Algorithm) -> &'static [&'static str] {
    match algorithm {
        Algorithm::Hs256 => &["HS256"],
        Algorithm::Rs256 => &["RS256"],
        Algorithm::Es256 => &["ES256"],
        // RFC 9864 renamed EdDSA with this curve to Ed25519.
        Algorithm::EdDsa => &["EdDSA", "Ed25519"],
    }
}

/// Reads the keys of a JWK Set that can verify tokens, and ignores the others. The error says what is wrong with the
/// set. It shows no value of the set, because someone may have put a secret there by mistake.
pub fn public_keys(text: &str) -> Result<Vec<VerificationKey>, String> {
    let set: Value =
        serde_json::from_str(text).map_err(|error| format!("is not JSON ({error})"))?;
    let keys = set.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or("has no list \"keys\"")?;
    if keys.iter().any(|key| key.get("d").is_some()) {
        return Err("contains a private key (\"d\")".to_owned());
    }
    let mut usable = Vec::new();
    for key in keys {
        let Object(attributes) = Object::<KeyAttributes>::deserialize(key)
            .map_err(|_| "has a key that is not a JWK".to_owned())?;
        if let Some((algorithm, material)) = public_parameters(key)
            && attributes.permit(algorithm)
        {
            usable.push(VerificationKey::new(attributes.kid, algorithm, material));
        }
    }
    if usable.is_empty() {
        return Err("contains no usable key".to_owned());
    }
    Ok(usable)
}

/// The algorithm of a JWK, and the JWK reduced to the public key. `None` if the hub does not support this kind of key,
/// or if the key does not have the right size.
fn public_parameters(key: &Value) -> Option<(Algorithm, KeyMaterial)> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let (algorithm, jwk) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            bytes("e")?;
            let modulus = bytes("n")?;
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if significant < MIN_RSA_BYTES {
                return None;
            }
            let jwk = json!({"kty": "RSA", "n": text("n")?, "e": text("e")?});
            (Algorithm::Rs256, jwk)
        }
        ("EC", Some("P-256")) => {
            if [bytes("x")?, bytes("y")?].concat().len() != P256_BYTES {
                return None;
            }
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": text("x")?, "y": text("y")?});
            (Algorithm::Es256, jwk)
        }
        ("OKP", Some("Ed25519")) => {
            if bytes("x")?.len() != ED25519_BYTES {
                return None;
            }
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": text("x")?});
            (Algorithm::EdDsa, jwk)
        }
        _ => return None,
    };
    Some((algorithm, KeyMaterial::Jwk(jwk.to_string())))
}
