//! Verifies signatures with the platform's Web Crypto. In WebAssembly, RS256 and ES256 would take 1.5 ms of CPU each,
//! three times as much as the rest of a publish. Web Crypto takes less than a tenth of that.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::keys::{Algorithm, KeyMaterial, VerificationKey};

/// Verifies signatures. Tests run without Web Crypto, so they have an implementation of their own.
pub trait SignatureVerifier {
    /// Whether `signature` is the signature of `message` by `key`.
    async fn verify(&self, key: &VerificationKey, message: &str, signature: &[u8]) -> bool;
}

/// The platform's Web Crypto.
pub struct WebCrypto;

impl WebCrypto {
    /// Imports a key the first time that it is needed. Fails if the platform rejects the key, for example because its
    /// point is not on the curve.
    pub async fn import(key: &VerificationKey) -> Result<&CryptoKey, JsValue> {
        if let Some(imported) = key.imported.get() {
            return Ok(imported);
        }
        let imported = import(key.algorithm, &key.material).await?;
        // Another request may have imported the key meanwhile. Then both use that one.
        Ok(key.imported.get_or_init(|| imported))
    }
}

impl SignatureVerifier for WebCrypto {
    async fn verify(&self, key: &VerificationKey, message: &str, signature: &[u8]) -> bool {
        // Web Crypto throws for some values that cannot be signatures.
        verify(key, message, signature).await.unwrap_or(false)
    }
}

async fn verify(key: &VerificationKey, message: &str, signature: &[u8]) -> Result<bool, JsValue> {
    let imported = WebCrypto::import(key).await?;
    let verified = subtle()?.verify_with_object_and_buffer_source_and_buffer_source(
        &parameters(key.algorithm)?,
        imported,
        &Uint8Array::from(signature),
        &Uint8Array::from(message.as_bytes()),
    )?;
    Ok(JsFuture::from(verified).await? == JsValue::TRUE)
}

async fn import(algorithm: Algorithm, material: &KeyMaterial) -> Result<CryptoKey, JsValue> {
    let (format, data): (_, Object) = match material {
        KeyMaterial::Secret(secret) => ("raw", Uint8Array::from(secret.as_slice()).into()),
        KeyMaterial::Jwk(jwk) => ("jwk", js_sys::JSON::parse(jwk)?.unchecked_into()),
    };
    let usages = Array::of1(&JsValue::from_str("verify"));
    let parameters = parameters(algorithm)?;
    let key = subtle()?.import_key_with_object(format, &data, &parameters, false, &usages)?;
    Ok(JsFuture::from(key).await?.unchecked_into())
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(global.crypto()?.subtle())
}

/// The parameters of an algorithm, both to import a key and to verify. Web Crypto ignores members that it does not use.
fn parameters(algorithm: Algorithm) -> Result<Object, JsValue> {
    let members: &[(&str, &str)] = match algorithm {
        Algorithm::Hs256 => &[("name", "HMAC"), ("hash", "SHA-256")],
        Algorithm::Rs256 => &[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")],
        Algorithm::Es256 => &[
            ("name", "ECDSA"),
            ("namedCurve", "P-256"),
            ("hash", "SHA-256"),
        ],
        Algorithm::EdDsa => &[("name", "Ed25519")],
    };
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value))?;
    }
    Ok(object)
}
