//! JSON objects in tokens and keys.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::logging::printable;

/// The type of `sub`, `kid` and similar members, for the errors of [`member`].
pub const TEXT: &str = "a string";

/// Reads a `T` from a JSON object in UTF-8. The error says what is wrong, in text that is safe to show.
///
/// A member that `T` declares must not occur twice. Other members are ignored.
pub fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, String> {
    let json = std::str::from_utf8(json).map_err(|_| "invalid UTF-8".to_owned())?;
    let Object(value) = serde_json::from_str(json).map_err(|error| printable(&explain(&error)))?;
    Ok(value)
}

fn explain(error: &serde_json::Error) -> String {
    match error.classify() {
        // The JSON is valid, but it is not a `T`.
        Category::Data => error.to_string(),
        Category::Syntax | Category::Eof | Category::Io => format!("invalid JSON: {error}"),
    }
}

/// Deserializes a `T` from an object only. A derived `Deserialize` also accepts an array of the values.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_map(ObjectVisitor(PhantomData))?;
        Ok(Self(value))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// Deserializes the member `name`. The error says that it must be `expected`. `null` is a value of the wrong type,
/// not a missing member.
pub fn member<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    name: &str,
    expected: &str,
    value: D,
) -> Result<T, D::Error> {
    T::deserialize(value)
        .map_err(|error| D::Error::custom(format!("{name:?} must be {expected}: {error}")))
}
