//! What a token says: for which channels, from when, until when.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Permission;
use sse_hub::Millis;

/// The claims that this hub reads. Whether `iss` and `aud` are right is the verifying library's to say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Claims {
    /// Channels to publish to.
    #[serde(default, deserialize_with = "publish")]
    publish: Vec<Pattern>,
    /// Channels to listen to.
    #[serde(default, deserialize_with = "subscribe")]
    subscribe: Vec<Pattern>,
    /// Seconds since 1970, perhaps with a fraction.
    #[serde(deserialize_with = "exp")]
    exp: f64,
    /// The same.
    #[serde(default, deserialize_with = "nbf")]
    nbf: Option<f64>,
    /// Whose token it is, for the log.
    #[serde(default, deserialize_with = "sub")]
    pub sub: Option<String>,
    /// The library would take a list, too.
    #[serde(default, deserialize_with = "iss")]
    iss: Option<String>,
}

const CHANNELS: &str = "a list of channel ids, each exact or ending in \"*\"";
const SECONDS: &str = "a number of seconds since 1970";
/// What `sub`, `iss` and most of a header have to be.
pub const TEXT: &str = "text";

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

/// A member that is there, and has to be `expected`. `null` is nothing that it can be.
pub fn member<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    name: &str,
    expected: &str,
    value: D,
) -> Result<T, D::Error> {
    T::deserialize(value)
        .map_err(|error| D::Error::custom(format!("{name:?} has to be {expected}: {error}")))
}

impl Claims {
    /// Whether it permits that for `channel`.
    pub fn permits(&self, permission: Permission, channel: &str) -> bool {
        let patterns = match permission {
            Permission::Publish => &self.publish,
            Permission::Subscribe => &self.subscribe,
        };
        patterns.iter().any(|pattern| pattern.matches(channel))
    }

    /// From when on it is not valid any more.
    pub fn expires(&self) -> Millis {
        millis(self.exp)
    }

    /// From when on it is valid, if it says so.
    pub fn not_before(&self) -> Option<Millis> {
        self.nbf.map(millis)
    }
}

/// Casts from floats saturate: a time before 1970 is 0, one that is too far for the machine is the last there is.
fn millis(seconds: f64) -> Millis {
    (seconds * 1_000.0) as Millis
}

/// A channel's id, or with `*` behind it what ids begin with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Pattern {
    Exact(String),
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
            return Err(format!(
                "{text:?}: \"*\" may only stand at the end of a channel's id"
            ));
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
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_are_exact_or_end_in_a_star() {
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
            assert!(error.contains("may only stand at the end"), "{error}");
        }
    }

    #[test]
    fn what_is_left_out_permits_nothing() {
        let claims = claims(r#"{"exp":1.5,"other":{"publish":["*"]}}"#).unwrap();
        assert!(!claims.permits(Permission::Publish, "foo"));
        assert!(!claims.permits(Permission::Subscribe, "foo"));
        assert_eq!((claims.not_before(), claims.sub.as_deref()), (None, None));
        assert_eq!(claims.expires(), 1_500);
    }

    #[test]
    fn types_are_checked() {
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
            r#"["a"]"#,
            r#"7"#,
        ] {
            assert!(claims(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_may_be_far() {
        let expires = |exp: &str| claims(&format!(r#"{{"exp":{exp}}}"#)).unwrap().expires();
        assert_eq!(expires("-5"), 0);
        assert_eq!(expires("253402300799"), 253_402_300_799_000);
        assert_eq!(expires("18446744073709551615"), Millis::MAX);
        assert_eq!(expires("1e300"), Millis::MAX);
    }
}
