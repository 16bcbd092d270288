//! Properties of tokens, their headers and claims, and the keys that verify them. `test_support` compares every result
//! with the jsonwebtoken library.

mod changed;
mod claims;
mod headers;
mod keys;
mod members;
mod settings;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::test_support::{access, base64url, grant};
use super::*;

/// The time at which all tokens are checked, in seconds.
const NOW: u64 = 1_795_354_163;

/// The claims of a token that is valid for a long time.
const CLAIMS: &str = r#"{"exp":4102444800,"subscribe":["*"]}"#;

const SECRET: &str = "a secret of 32 bytes, not a byte";

/// A key that signs tokens.
#[derive(Clone)]
struct Signer {
    kid: Option<&'static str>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn secret(secret: &[u8]) -> Self {
        Self::new(Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    /// A key in the form of RFC 8410. Every byte of the private key is `byte`.
    fn ed25519(byte: u8) -> Self {
        let mut key = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        key.extend([byte; 32]);
        Self::new(Algorithm::EdDSA, EncodingKey::from_ed_der(&key))
    }

    /// A key in the form of RFC 5915. Every byte of the private key is `byte`.
    fn p256(byte: u8) -> Self {
        let mut key = b"\
            \x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\
            \x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20".to_vec();
        key.extend([byte; 32]);
        Self::new(Algorithm::ES256, EncodingKey::from_ec_der(&key))
    }

    fn new(algorithm: Algorithm, key: EncodingKey) -> Self {
        Self {
            kid: None,
            algorithm,
            key,
        }
    }

    fn with_kid(mut self, kid: &'static str) -> Self {
        self.kid = Some(kid);
        self
    }

    /// The public key.
    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        if let Some(kid) = self.kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        let sign = jsonwebtoken::crypto::sign;
        let signature = sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// Subscribes to the channel `foo` with `token`.
fn subscribe(access: &Access, token: &str) -> Result<Grant, Denied> {
    grant(access, Permission::Subscribe, "foo", token, NOW * 1_000)
}

/// An RSA public key, and a token that its private key has signed. The private key is not here.
fn rsa() -> (Value, String) {
    let jwk = json!({"kty": "RSA", "e": "AQAB", "n": RSA_MODULUS});
    (jwk, format!("{RSA_SIGNED}.{RSA_SIGNATURE}"))
}

const RSA_MODULUS: &str = "\
    8i3Eay5PorOA_jDvsjIdK_Cj2ylbWrR5QHfpDnm3O90r-oSJtMW0vl_fQGlHFvKBUH-EflapnzYpLcmcBiidjjee8IJhoTzxuPYn\
    _3CNMw40XFFT4cyR2YgQeJtRRAdYPAcgBAe6A-Hxexa3JLk5zoOaQMDQbPwpAlZK_H7tCG_01GGQF1zJoG-QuvQaT4bPbNzaZGMP\
    uNmeXeDZHwNh-D0QMKQzdLzobx-nU4SAriGxDR1_czetJxQ8wN1f7-Dd6x0ag4h7R4GE5hkI4V2vglwou5UtzM9sKPIbMoJnCa59\
    TlyUK4Q0EhtyB1zkgzqVAnkDuMsFY-xNM7AFpVI-Pw";

/// The header `{"alg":"RS256"}` and the claims [`CLAIMS`].
const RSA_SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsInN1YnNjcmliZSI6WyIqIl19";

const RSA_SIGNATURE: &str = "\
    jGhWInX18UBDugL7kEi2hNmvqSnBmdA6mDVWaw9tFalDmnFS1yRKc-EbzOqAApO9bPhA0z66Rudi8RgO2qJh5IS4VvdwnQMG3hjy\
    fGkIxpbIiWRL9yG0swXe3Kj12RAu07Fjp_UP5su_bnjs-PJNO_DNJg6H8q4WxYSQMYZ21vyvM1vwdhZdv8mrR3-V0pQfGx2XwPvd\
    p5mcr-8bOfPP5lzO-qaY6kZH8hHPi_5UNxq68mAyqkqiD8O_yNGCPmHRgjVZQ1qab0Jozqz1N447bpjjJYoZAZ-7kkKUB2NOmwqS\
    eelRZiSZqDn-LXmmIVoPbpqwt1gC6OMNf2VkWr2NeQ";
