//! Signatures, verified by the platform's Web Crypto. In WebAssembly RS256 and ES256 take 1.5 ms of computing each, three
//! times what the rest of a publish takes; here less than a tenth of that.
//!
//! jsonwebtoken verifies tokens, and asks a [`CryptoProvider`] about each signature. It does so without waiting, but Web
//! Crypto is waited for; so the answer is there before it asks.

use std::cell::{OnceCell, RefCell};

use js_sys::{Array, Object, Reflect, Uint8Array};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{self, ErrorKind};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::auth::{Access, KeyMaterial, PUBLIC_KEYS, Unverified};
use crate::environment::SettingError;

/// Signed with the right key, as Web Crypto has found.
pub struct Genuine {
    algorithm: Algorithm,
    message: Vec<u8>,
    signature: Vec<u8>,
}

thread_local! {
    /// The keys, once they are imported; or why they cannot be.
    static KEYS: OnceCell<Result<Vec<CryptoKey>, SettingError>> = const { OnceCell::new() };
    /// What the library is going to ask about.
    static GENUINE: RefCell<Option<Genuine>> = const { RefCell::new(None) };
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: answer,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Imports the keys of this deployment, the first time, and makes the library ask here. To be called before any token is
/// looked at. Fails where the platform cannot use a key, such as a point that is on no curve.
pub async fn import(access: &Access) -> Result<(), SettingError> {
    let known = KEYS.with(|keys| {
        keys.get()
            .map(|keys| keys.as_ref().map(|_| ()).map_err(Clone::clone))
    });
    if let Some(known) = known {
        return known;
    }
    // Fails only where it was done before.
    let _ = PROVIDER.install_default();
    let imported = import_all(access).await;
    let result = imported.as_ref().map(|_| ()).map_err(Clone::clone);
    // Another request may have been faster.
    KEYS.with(|keys| keys.set(imported).ok());
    result
}

async fn import_all(access: &Access) -> Result<Vec<CryptoKey>, SettingError> {
    let mut keys = Vec::new();
    for (algorithm, material) in access.materials() {
        let name = match material {
            KeyMaterial::Secret(_) => "JWT_SECRET",
            KeyMaterial::Jwk(_) => "JWT_KEYS",
        };
        let key = import_key(algorithm, material).await;
        keys.push(key.map_err(|_| SettingError {
            name,
            found: format!("has a key that is none for {algorithm:?}"),
            expected: PUBLIC_KEYS.to_owned(),
        })?);
    }
    Ok(keys)
}

/// Whether a signature is of the key that it has to be of. Web Crypto throws at some that can be none.
pub async fn verify(unverified: &Unverified<'_>) -> Option<Genuine> {
    let verified = ask(unverified).await.is_ok_and(|answer| answer.is_truthy());
    verified.then(|| Genuine {
        algorithm: unverified.algorithm,
        message: unverified.message.as_bytes().to_vec(),
        signature: unverified.signature.clone(),
    })
}

/// Calls `grant`, in which the library asks about a signature, of which no other than this one is right.
pub fn vouching<T>(genuine: Option<Genuine>, grant: impl FnOnce() -> T) -> T {
    GENUINE.replace(genuine);
    let granted = grant();
    GENUINE.take();
    granted
}

async fn ask(unverified: &Unverified<'_>) -> Result<JsValue, JsValue> {
    let key = KEYS.with(|keys| keys.get()?.as_ref().ok()?.get(unverified.number).cloned());
    let key = key.ok_or(JsValue::UNDEFINED)?;
    let verified = subtle()?.verify_with_object_and_buffer_source_and_buffer_source(
        &web_crypto_name(unverified.algorithm)?,
        &key,
        &Uint8Array::from(unverified.signature.as_slice()),
        &Uint8Array::from(unverified.message.as_bytes()),
    )?;
    JsFuture::from(verified).await
}

async fn import_key(algorithm: Algorithm, material: &KeyMaterial) -> Result<CryptoKey, JsValue> {
    let (format, data): (_, Object) = match material {
        KeyMaterial::Secret(secret) => ("raw", Uint8Array::from(secret.as_slice()).into()),
        KeyMaterial::Jwk(jwk) => ("jwk", js_sys::JSON::parse(jwk)?.unchecked_into()),
    };
    let usages = Array::of1(&JsValue::from_str("verify"));
    let name = web_crypto_name(algorithm)?;
    let key = subtle()?.import_key_with_object(format, &data, &name, false, &usages)?;
    Ok(JsFuture::from(key).await?.unchecked_into())
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(global.crypto()?.subtle())
}

/// An algorithm, as Web Crypto calls it. What one of its functions does not want to know it passes over.
fn web_crypto_name(algorithm: Algorithm) -> Result<Object, JsValue> {
    let members: &[(&str, &str)] = match algorithm {
        Algorithm::HS256 => &[("name", "HMAC"), ("hash", "SHA-256")],
        Algorithm::RS256 => &[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")],
        Algorithm::ES256 => &[
            ("name", "ECDSA"),
            ("namedCurve", "P-256"),
            ("hash", "SHA-256"),
        ],
        Algorithm::EdDSA => &[("name", "Ed25519")],
        _ => return Err(JsValue::from_str("there is no key of this algorithm")),
    };
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value))?;
    }
    Ok(object)
}

// Which key it is need not be looked at: the message says so in its header, by which the key is always chosen.
fn answer(algorithm: &Algorithm, _: &DecodingKey) -> errors::Result<Box<dyn JwtVerifier>> {
    Ok(Box::new(Answer(*algorithm)))
}

/// What Web Crypto has found of a signature.
struct Answer(Algorithm);

impl Verifier<Vec<u8>> for Answer {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let is_genuine = GENUINE.with_borrow(|genuine| {
            genuine.as_ref().is_some_and(|genuine| {
                genuine.algorithm == self.0
                    && genuine.message == message
                    && genuine.signature == *signature
            })
        });
        is_genuine.then_some(()).ok_or_else(Error::new)
    }
}

impl JwtVerifier for Answer {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}
