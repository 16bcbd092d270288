//! Verifies tokens.

use super::TokenError;
use super::claims::{Claims, RequiredClaims};
use super::keys::VerificationKeys;
use super::signature::SignatureVerifier;
use super::token::EncodedToken;
use crate::environment::{Environment, SettingError};

/// Verifies tokens for a deployment.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    /// The keys that may have signed a token.
    pub keys: VerificationKeys,
    /// The claims that every token must have.
    pub required: RequiredClaims,
}

impl TokenVerifier {
    /// Reads `JWT_SECRET`, `JWT_KEYS`, `JWT_ISSUER` and `JWT_AUDIENCE`.
    pub fn read(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            keys: VerificationKeys::read(environment)?,
            required: RequiredClaims::read(environment),
        })
    }

    /// Returns the claims of a token, if a key of this deployment signed it and it has the required claims. Does not
    /// check the times.
    pub async fn verify(
        &self,
        token: &str,
        signatures: &impl SignatureVerifier,
    ) -> Result<Claims, TokenError> {
        let token = EncodedToken::split(token)?;
        let key = self.keys.find(&token.header()?)?;
        let signature = token.signature()?;
        if !signatures.verify(key, token.signed, &signature).await {
            return Err(TokenError::Signature);
        }
        let claims = token.claims()?;
        self.required.check(&claims)?;
        Ok(claims)
    }
}
