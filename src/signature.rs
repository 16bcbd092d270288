//! Signatures, verified by the platform's Web Crypto. In WebAssembly RS256 and ES256 take 1.5 ms of computing each, three
//! times what the rest of a publish takes; here less than a tenth of that.
//!
//! jsonwebtoken verifies tokens, and asks a [`CryptoProvider`] about each signature. It does so without waiting, but Web
//! Crypto is waited for; so the answer is there before it asks.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::{Array, Object, Reflect, Uint8Array};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::access::{Material, Unverified};
use crate::logging::Level;

/// Signed with the right key, as Web Crypto has found.
pub struct Genuine {
    algorithm: Algorithm,
    message: Vec<u8>,
    signature: Vec<u8>,
}

thread_local! {
    /// The keys that were used before, by their number.
    static KEYS: RefCell<HashMap<usize, CryptoKey>> = RefCell::default();
    /// What the library is going to ask about.
    static GENUINE: RefCell<Option<Genuine>> = const { RefCell::new(None) };
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: answer,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library ask here. To be called before any token is looked at.
pub fn install() {
    // Fails only where it was done before.
    let _ = PROVIDER.install_default();
}

/// Whether a signature is of the key that it has to be of. A key that the platform cannot use has signed nothing.
pub async fn verify(unverified: &Unverified<'_>) -> Option<Genuine> {
    let verified = ask(unverified).await;
    if let Err(error) = &verified {
        Level::Error.log(Level::Error, || {
            let error = worker::Error::from(error.clone());
            format!(
                "a key of JWT_KEYS cannot be used: number={} error={error}",
                unverified.number
            )
        });
    }
    verified.is_ok_and(|genuine| genuine).then(|| Genuine {
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

async fn ask(unverified: &Unverified<'_>) -> std::result::Result<bool, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle = global.crypto()?.subtle();
    let algorithm = web_crypto_name(unverified.algorithm)?;
    let known = KEYS.with_borrow(|keys| keys.get(&unverified.number).cloned());
    let key = match known {
        Some(key) => key,
        None => {
            let key = import(&subtle, &algorithm, unverified.material).await?;
            KEYS.with_borrow_mut(|keys| keys.insert(unverified.number, key.clone()));
            key
        }
    };
    let verified = subtle.verify_with_object_and_buffer_source_and_buffer_source(
        &algorithm,
        &key,
        &Uint8Array::from(unverified.signature.as_slice()),
        &Uint8Array::from(unverified.message.as_bytes()),
    )?;
    Ok(JsFuture::from(verified).await?.is_truthy())
}

async fn import(
    subtle: &SubtleCrypto,
    algorithm: &Object,
    material: &Material,
) -> std::result::Result<CryptoKey, JsValue> {
    let usages = Array::of1(&JsValue::from_str("verify"));
    let (format, data): (_, Object) = match material {
        Material::Secret(secret) => ("raw", Uint8Array::from(secret.as_slice()).into()),
        Material::Jwk(jwk) => ("jwk", js_sys::JSON::parse(jwk)?.unchecked_into()),
    };
    let key = subtle.import_key_with_object(format, &data, algorithm, false, &usages)?;
    Ok(JsFuture::from(key).await?.unchecked_into())
}

/// An algorithm, as Web Crypto calls it. What one of its functions does not want to know it passes over.
fn web_crypto_name(algorithm: Algorithm) -> std::result::Result<Object, JsValue> {
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

fn answer(algorithm: &Algorithm, _: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Ok(Box::new(Answer(*algorithm)))
}

/// What Web Crypto has found of a signature.
struct Answer(Algorithm);

impl Verifier<Vec<u8>> for Answer {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
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
