//! The proof that a request is authorized.

use super::{Denied, Permission, TokenError};
use sse_hub::Millis;

/// The proof that a request has a permission on a channel.
///
/// Only [`Access`](super::Access) makes one. A function that takes a `&Grant` therefore cannot be called before the
/// request is authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    channel: String,
    permission: Permission,
    expires: Option<Millis>,
    subject: Option<String>,
}

impl Grant {
    /// A grant for a deployment that requires no token for `permission`. It never expires.
    pub(super) fn without_token(permission: Permission, channel: &str) -> Self {
        Self {
            channel: channel.to_owned(),
            permission,
            expires: None,
            subject: None,
        }
    }

    /// A grant from a token that expires at `expires` and has the claim `sub` in `subject`.
    pub(super) fn from_token(
        permission: Permission,
        channel: &str,
        expires: Millis,
        subject: Option<String>,
    ) -> Self {
        Self {
            channel: channel.to_owned(),
            permission,
            expires: Some(expires),
            subject,
        }
    }

    /// The id of the channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The permission on the channel.
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// When the token expires. `None` if no token was required.
    pub fn expires(&self) -> Option<Millis> {
        self.expires
    }

    /// The claim `sub` of the token.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Fails if the token has expired at `now`.
    pub fn check(&self, now: Millis) -> Result<(), Denied> {
        match self.expires {
            Some(expires) if now >= expires => Err(TokenError::Expired.into()),
            _ => Ok(()),
        }
    }
}
