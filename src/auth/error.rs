//! Why the hub refuses a request or a token. The `Display` text of each error goes to the client.

use super::{COOKIE, MAX_TOKEN_CHARS, Permission};

/// Why a request is not authorized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request has no token.
    #[error(
        "This request needs a token whose claim \"{claim}\" lists the channel. Send it as {places}.",
        claim = .0.claim(),
        places = places(*.0)
    )]
    Missing(Permission),
    /// The token is invalid.
    #[error("The token is invalid: {0}. Send one that is valid now and signed for this hub.")]
    Invalid(#[from] TokenError),
    /// The token is valid, but it does not permit this on this channel.
    #[error("The token does not permit this: its claim \"{claim}\" does not list the channel.", claim = .0.claim())]
    Forbidden(Permission),
    /// The token is valid, but it does not permit this on one of the channels of the request.
    #[error("The token does not permit this: its claim \"{claim}\" does not list the channel \"{channel}\".", claim = .permission.claim())]
    ForbiddenChannel {
        /// The permission that the request needs.
        permission: Permission,
        /// The id of the first channel that the token does not permit.
        channel: String,
    },
}

/// Where a request may have a token. A cookie permits subscribing only (see [`COOKIE`]).
fn places(permission: Permission) -> String {
    let header = "\"Authorization: Bearer …\", as the password of \"Authorization: Basic …\"";
    let parameter = "the query parameter \"token\"";
    match permission {
        Permission::Publish => format!("{header} or as {parameter}"),
        Permission::Subscribe => {
            format!("{header}, as {parameter} or as the cookie \"{COOKIE}\"")
        }
    }
}

/// Why a token is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token has too many characters.
    #[error("it is longer than {max} characters", max = MAX_TOKEN_CHARS)]
    TooLong,
    /// The header `Authorization` has the scheme `Basic`, but no password can be read from it.
    #[error(
        "the header Authorization has the scheme Basic, but not \"user:token\" in base64 with padding (RFC 7617)"
    )]
    BasicEncoding,
    /// The header `Authorization` has the scheme `Basic`, but its password does not have the form of a JWT.
    #[error(
        "it is not a JWT (three base64url parts separated by dots); with the scheme Basic, the token has to be the password"
    )]
    BasicPassword,
    /// The token does not have the form of a JWT.
    #[error(
        "it is not a JWT (three base64url parts separated by dots, the first two with JSON objects)"
    )]
    Malformed,
    /// The header is not a JSON object, or one of its members has the wrong type or occurs twice.
    #[error("its header is invalid ({0})")]
    Header(String),
    /// The header has the member `crit`, which lists extensions that the verifier must support.
    #[error("its header has \"crit\", and this hub supports no extension")]
    Critical,
    /// No key of this hub matches the algorithm and the `kid` of the header.
    #[error("this hub has no key for it ({0})")]
    UnknownKey(String),
    /// Several keys of this hub match the header.
    #[error("several keys of this hub match it, so its header needs a \"kid\"")]
    AmbiguousKey,
    /// The token was signed with another key, or it was changed.
    #[error("its signature is not valid for the key of this hub")]
    Signature,
    /// A claim is missing, has the wrong type or occurs twice.
    #[error("its claims are invalid ({0})")]
    Claims(String),
    /// `iss` or `aud` does not have the value that a setting requires.
    #[error("its claim \"{claim}\" does not match {setting}")]
    WrongClaim {
        /// The name of the claim.
        claim: &'static str,
        /// The setting that requires another value.
        setting: &'static str,
    },
    /// The time in `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// The time in `nbf` has not come yet.
    #[error("it is not valid yet")]
    NotYet,
}
