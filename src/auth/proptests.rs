//! Of tokens, of what they claim, and of the keys that verify them.

mod changed;
mod claims;
mod headers;
mod keys;
mod members;
mod settings;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;

/// Now, in seconds.
const NOW: u64 = 1_795_354_163;

/// Of a token that is good for long.
const CLAIMS: &str = r#"{"exp":4102444800,"subscribe":["*"]}"#;

const SECRET: &str = "a secret of 32 bytes, not a byte";

/// Whoever signs tokens.
#[derive(Clone)]
struct Signer {
    id: Option<&'static str>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn secret(secret: &[u8]) -> Self {
        let key = EncodingKey::from_secret(secret);
        Self {
            id: None,
            algorithm: Algorithm::HS256,
            key,
        }
    }

    /// With a key made of nothing but `seed`, in the form of RFC 8410.
    fn ed25519(seed: u8) -> Self {
        let mut key = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        key.extend([seed; 32]);
        let key = EncodingKey::from_ed_der(&key);
        Self {
            id: None,
            algorithm: Algorithm::EdDSA,
            key,
        }
    }

    /// The same, of RFC 5915.
    fn p256(seed: u8) -> Self {
        let mut key = b"\
            \x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\
            \x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20".to_vec();
        key.extend([seed; 32]);
        let key = EncodingKey::from_ec_der(&key);
        Self {
            id: None,
            algorithm: Algorithm::ES256,
            key,
        }
    }

    fn called(mut self, id: &'static str) -> Self {
        self.id = Some(id);
        self
    }

    /// Its public key.
    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        if let Some(id) = self.id {
            jwk["kid"] = id.into();
        }
        jwk
    }

    fn token(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64(header), base64(claims));
        let sign = jsonwebtoken::crypto::sign;
        let signature = sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The rules of a deployment with these variables.
fn read(variables: &[(&str, &str)]) -> Result<Access, SettingError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Access::read(&Environment::new(&variable))
}

/// What is answered to a reader of channel `foo`. Whatever the token is, who verifies signatures is asked about all
/// of it.
fn subscribe(access: &Access, token: &str) -> Result<Grant, Denied> {
    let asked = access.unverified(token).map(|unverified| {
        assert_eq!(
            [unverified.message, &base64(unverified.signature)].join("."),
            token
        );
    });
    let remembered = access.remembered(token).is_ok_and(|known| known.is_some());
    let granted = access.grant(Permission::Subscribe, "foo", Some(token), NOW * 1_000);
    assert!(granted.is_err() || remembered != asked.is_some());
    granted
}

/// An RSA key, and a token that was signed with it: nobody here can sign another.
fn rsa() -> (Value, String) {
    let jwk = json!({"kty": "RSA", "e": "AQAB", "n": RSA_MODULUS});
    (jwk, format!("{RSA_SIGNED}.{RSA_SIGNATURE}"))
}

const RSA_MODULUS: &str = "\
    8i3Eay5PorOA_jDvsjIdK_Cj2ylbWrR5QHfpDnm3O90r-oSJtMW0vl_fQGlHFvKBUH-EflapnzYpLcmcBiidjjee8IJhoTzxuPYn\
    _3CNMw40XFFT4cyR2YgQeJtRRAdYPAcgBAe6A-Hxexa3JLk5zoOaQMDQbPwpAlZK_H7tCG_01GGQF1zJoG-QuvQaT4bPbNzaZGMP\
    uNmeXeDZHwNh-D0QMKQzdLzobx-nU4SAriGxDR1_czetJxQ8wN1f7-Dd6x0ag4h7R4GE5hkI4V2vglwou5UtzM9sKPIbMoJnCa59\
    TlyUK4Q0EhtyB1zkgzqVAnkDuMsFY-xNM7AFpVI-Pw";

/// `{"alg":"RS256"}` and `{"exp":4102444800,"subscribe":["*"]}`
const RSA_SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDAsInN1YnNjcmliZSI6WyIqIl19";

const RSA_SIGNATURE: &str = "\
    jGhWInX18UBDugL7kEi2hNmvqSnBmdA6mDVWaw9tFalDmnFS1yRKc-EbzOqAApO9bPhA0z66Rudi8RgO2qJh5IS4VvdwnQMG3hjy\
    fGkIxpbIiWRL9yG0swXe3Kj12RAu07Fjp_UP5su_bnjs-PJNO_DNJg6H8q4WxYSQMYZ21vyvM1vwdhZdv8mrR3-V0pQfGx2XwPvd\
    p5mcr-8bOfPP5lzO-qaY6kZH8hHPi_5UNxq68mAyqkqiD8O_yNGCPmHRgjVZQ1qab0Jozqz1N447bpjjJYoZAZ-7kkKUB2NOmwqS\
    eelRZiSZqDn-LXmmIVoPbpqwt1gC6OMNf2VkWr2NeQ";
