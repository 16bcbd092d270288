//! The claims of a token: the channels that it permits, and when it is valid.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::json::{TEXT, member};
use super::{Permission, TokenError};
use crate::environment::Environment;
use sse_hub::Millis;

/// The claims that this hub reads. It ignores all others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Claims {
    /// The channels that the token permits to publish to.
    #[serde(default, deserialize_with = "publish")]
    publish: Vec<Pattern>,
    /// The channels that the token permits to subscribe to.
    #[serde(default, deserialize_with = "subscribe")]
    subscribe: Vec<Pattern>,
    /// Seconds since 1970, possibly with a fraction. `nbf` has the same form.
    #[serde(deserialize_with = "exp")]
    exp: f64,
    #[serde(default, deserialize_with = "nbf")]
    nbf: Option<f64>,
    /// The user, for the log.
    #[serde(default, deserialize_with = "sub")]
    pub sub: Option<String>,
    #[serde(default, deserialize_with = "iss")]
    iss: Option<String>,
    aud: Option<Audience>,
}

/// The claim `aud`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
    /// A value of the wrong type. It does not matter unless the deployment requires an audience.
    Invalid(IgnoredAny),
}

const CHANNELS: &str = "a list of channel ids and of prefixes that end in \"*\"";
const SECONDS: &str = "a number of seconds since 1970";

fn publish<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Pattern>, D::Error> {
    member("publish", CHANNELS, value)
}

fn subscribe<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Pattern>, D::Error> {
    member("subscribe", CHANNELS, value)
}

fn exp<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    member("exp", SECONDS, value)
}

fn nbf<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    member("nbf", SECONDS, value).map(Some)
}

fn sub<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    member("sub", TEXT, value).map(Some)
}

fn iss<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    member("iss", TEXT, value).map(Some)
}

impl Claims {
    /// Whether the token has `permission` on `channel`.
    pub fn permits(&self, permission: Permission, channel: &str) -> bool {
        let patterns = match permission {
            Permission::Publish => &self.publish,
            Permission::Subscribe => &self.subscribe,
        };
        patterns.iter().any(|pattern| pattern.matches(channel))
    }

    /// The time from which on the token is no longer valid.
    pub fn expires(&self) -> Millis {
        millis(self.exp)
    }

    /// Fails if the token is not valid at `now`. There is no leeway.
    pub fn check_times(&self, now: Millis) -> Result<(), TokenError> {
        if now >= self.expires() {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|seconds| now < millis(seconds)) {
            return Err(TokenError::NotYet);
        }
        Ok(())
    }

    fn issuers(&self) -> Option<&[String]> {
        self.iss.as_ref().map(std::slice::from_ref)
    }

    fn audiences(&self) -> Option<&[String]> {
        match self.aud.as_ref()? {
            Audience::One(name) => Some(std::slice::from_ref(name)),
            Audience::Several(names) => Some(names),
            Audience::Invalid(_) => None,
        }
    }
}

/// Converts seconds to milliseconds. The cast saturates: a time before 1970 becomes 0, and a time beyond the range of
/// [`Millis`] becomes its maximum.
fn millis(seconds: f64) -> Millis {
    (seconds * 1_000.0) as Millis
}

/// The claims that a deployment requires of each token.
#[derive(Clone, Debug)]
pub struct RequiredClaims {
    /// `JWT_ISSUER`.
    pub issuer: Option<String>,
    /// `JWT_AUDIENCE`.
    pub audience: Option<String>,
}

impl RequiredClaims {
    /// Reads `JWT_ISSUER` and `JWT_AUDIENCE`.
    pub fn read(environment: &Environment) -> Self {
        Self {
            issuer: environment.get("JWT_ISSUER"),
            audience: environment.get("JWT_AUDIENCE"),
        }
    }

    /// Fails if a required claim is missing or has another value. A missing claim is reported first.
    pub fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        let issuer = ("iss", "JWT_ISSUER", &self.issuer, claims.issuers());
        let audience = ("aud", "JWT_AUDIENCE", &self.audience, claims.audiences());
        let mut wrong = None;
        for (claim, setting, required, found) in [issuer, audience] {
            let Some(required) = required else {
                continue;
            };
            let Some(found) = found else {
                return Err(TokenError::Claims(format!(
                    "{setting} requires the claim \"{claim}\""
                )));
            };
            if !found.contains(required) {
                wrong = wrong.or(Some(TokenError::WrongClaim { claim, setting }));
            }
        }
        wrong.map_or(Ok(()), Err)
    }
}

/// A channel id, or a prefix of channel ids.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Pattern {
    Exact(String),
    /// A token writes this with a `*` at the end.
    Prefix(String),
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (start, is_prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text.as_str(), false),
        };
        if start.contains('*') {
            return Err(format!("{text:?} has a \"*\" that is not at its end"));
        }
        let start = start.to_owned();
        Ok(if is_prefix {
            Self::Prefix(start)
        } else {
            Self::Exact(start)
        })
    }
}

impl Pattern {
    fn matches(&self, channel: &str) -> bool {
        match self {
            Self::Exact(id) => id == channel,
            Self::Prefix(start) => channel.starts_with(start.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Result<Claims, String> {
        crate::auth::json::object(json.as_bytes())
    }

    #[test]
    fn a_pattern_is_a_channel_id_or_a_prefix_with_a_star() {
        let claims = claims(r#"{"exp":1,"publish":["foo","bar*"],"subscribe":["*"]}"#).unwrap();
        for (channel, permitted) in [
            ("foo", true),
            ("foo1", false),
            ("fo", false),
            ("bar", true),
            ("bar1", true),
            ("Bar1", false),
            ("ba", false),
            ("", false),
        ] {
            assert_eq!(
                claims.permits(Permission::Publish, channel),
                permitted,
                "{channel}"
            );
            assert!(claims.permits(Permission::Subscribe, channel));
        }
        for bad in ["f*o", "**", "*foo", "*a*"] {
            let error = self::claims(&format!(r#"{{"exp":1,"publish":["{bad}"]}}"#)).unwrap_err();
            assert!(error.contains("is not at its end"), "{error}");
        }
    }

    #[test]
    fn a_claim_that_is_missing_permits_nothing() {
        let claims = claims(r#"{"exp":1.5,"other":{"publish":["*"]}}"#).unwrap();
        assert!(!claims.permits(Permission::Publish, "foo"));
        assert!(!claims.permits(Permission::Subscribe, "foo"));
        assert_eq!(claims.sub, None);
        assert_eq!(claims.check_times(0), Ok(()));
        assert_eq!(claims.expires(), 1_500);
    }

    #[test]
    fn claims_of_the_wrong_type_or_given_twice_are_refused() {
        for bad in [
            r#"{}"#,
            r#"{"exp":"1"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":true}"#,
            r#"{"exp":[1]}"#,
            r#"{"exp":1e400}"#,
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"nbf":null}"#,
            r#"{"exp":1,"nbf":"1"}"#,
            r#"{"exp":1,"sub":null}"#,
            r#"{"exp":1,"sub":7}"#,
            r#"{"exp":1,"iss":["a"]}"#,
            r#"{"exp":1,"iss":null}"#,
            r#"{"exp":1,"publish":"foo"}"#,
            r#"{"exp":1,"publish":null}"#,
            r#"{"exp":1,"publish":{"0":"foo"}}"#,
            r#"{"exp":1,"publish":[1]}"#,
            r#"{"exp":1,"subscribe":["a",null]}"#,
            r#"{"exp":1,"publish":["a"],"publish":["*"]}"#,
            r#"{"exp":1,"aud":"a","aud":"a"}"#,
            r#"[["*"],["*"],1,1,"me","me","me"]"#,
            r#"["a"]"#,
            r#"7"#,
        ] {
            assert!(claims(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_may_be_earlier_or_later_than_any_clock_shows() {
        let expires = |exp: &str| claims(&format!(r#"{{"exp":{exp}}}"#)).unwrap().expires();
        assert_eq!(expires("-5"), 0);
        assert_eq!(expires("253402300799"), 253_402_300_799_000);
        assert_eq!(expires("18446744073709551615"), Millis::MAX);
        assert_eq!(expires("1e300"), Millis::MAX);
    }
}
