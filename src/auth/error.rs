//! Why the hub refuses a request or a token. The `Display` text of each error goes to the client.

use super::{COOKIE, MAX_TOKEN_CHARS, Permission};

/// Why a request is not authorized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request has no token.
    #[error(
        "This takes a token whose claim \"{claim}\" lists this channel. Send one as \"Authorization: Bearer …\", or as the parameter \"token\"{cookie}.",
        claim = .0.claim(),
        cookie = cookie_hint(*.0)
    )]
    Missing(Permission),
    /// The token is invalid.
    #[error("The token cannot be used: {0}. Send one that is valid now, and signed for this hub.")]
    Invalid(#[from] TokenError),
    /// The token is valid, but it does not permit this on this channel.
    #[error("The token is not for this: its claim \"{claim}\" does not list this channel.", claim = .0.claim())]
    Forbidden(Permission),
}

/// A cookie may authorize a subscriber, but not a publisher (see [`COOKIE`]).
fn cookie_hint(permission: Permission) -> String {
    match permission {
        Permission::Publish => String::new(),
        Permission::Subscribe => format!(", or as the cookie \"{COOKIE}\""),
    }
}

/// Why a token is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token has more than [`MAX_TOKEN_CHARS`].
    #[error("it is longer than {max} characters", max = MAX_TOKEN_CHARS)]
    TooLong,
    /// The token does not have the form of a JWT.
    #[error(
        "it is no JWT: three parts in base64url with dots between them, and the first two JSON"
    )]
    Malformed,
    /// The header is not a JSON object, or one of its members has the wrong type or stands twice.
    #[error("its header cannot be used ({0})")]
    Header(String),
    /// The header has the member `crit`, which lists extensions that the verifier must support.
    #[error("its header has \"crit\", and nothing in that is understood here")]
    Critical,
    /// No key of this hub matches the algorithm and the `kid` of the header.
    #[error("this hub has no key for it, for the algorithm {0}")]
    UnknownKey(String),
    /// Several keys of this hub match the header.
    #[error("several keys of this hub could be for it: its header has to have a \"kid\"")]
    AmbiguousKey,
    /// The token was signed with another key, or it was changed.
    #[error("its signature is not that of this hub's key")]
    Signature,
    /// A claim is missing, has the wrong type or stands twice.
    #[error("its claims cannot be used ({0})")]
    Claims(String),
    /// `iss` or `aud` is not the value that a setting requires.
    #[error("its claim \"{claim}\" is not what {setting} says")]
    Foreign {
        /// The name of the claim.
        claim: &'static str,
        /// The setting that requires another value.
        setting: &'static str,
    },
    /// The time `exp` is past.
    #[error("it has expired")]
    Expired,
    /// The time `nbf` is in the future.
    #[error("it is not valid yet")]
    NotYet,
}
