//! The form of a token: a JWT (RFC 7519) in the compact serialization of JWS (RFC 7515).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::TokenError;
use super::claims::Claims;
use super::json::{Object, TEXT, member, object};
use super::jwks::KeyAttributes;

/// The parts of a token, in base64url.
pub struct EncodedToken<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// The text that the signature covers: the header, a dot and the payload.
    pub signed: &'a str,
}

impl<'a> EncodedToken<'a> {
    /// Splits a token at its two dots.
    pub fn split(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signed,
        })
    }

    /// Reads the header.
    pub fn header(&self) -> Result<TokenHeader, TokenError> {
        object(&decoded(self.header)?).map_err(TokenError::Header)
    }

    /// Reads the claims. They mean nothing before the signature is verified.
    pub fn claims(&self) -> Result<Claims, TokenError> {
        object(&decoded(self.payload)?).map_err(TokenError::Claims)
    }

    /// The bytes of the signature.
    pub fn signature(&self) -> Result<Vec<u8>, TokenError> {
        decoded(self.signature)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}

/// The header of a token. The members whose names begin with `_` do not matter here, but a value of the wrong type or a
/// second value makes the header invalid.
#[derive(Deserialize)]
pub struct TokenHeader {
    /// The name of the signature algorithm.
    #[serde(deserialize_with = "alg")]
    pub alg: String,
    /// The id of the key.
    #[serde(default, deserialize_with = "kid")]
    pub kid: Option<String>,
    /// Extensions that the verifier must support. Even an empty or invalid value counts.
    #[serde(default, deserialize_with = "crit")]
    pub crit: Option<IgnoredAny>,
    #[serde(rename = "typ")]
    _typ: Option<String>,
    #[serde(rename = "cty")]
    _cty: Option<String>,
    #[serde(rename = "jku")]
    _jku: Option<String>,
    #[serde(rename = "jwk")]
    _jwk: Option<Object<KeyAttributes>>,
    #[serde(rename = "x5u")]
    _x5u: Option<String>,
    #[serde(rename = "x5c")]
    _x5c: Option<Vec<String>>,
    #[serde(rename = "x5t")]
    _x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    _x5t_s256: Option<String>,
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
