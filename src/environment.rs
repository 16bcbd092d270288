//! Reads the environment variables that configure the hub.

/// A variable with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {found}: it has to be {expected}")]
pub struct SettingError {
    /// The name of the variable.
    pub name: &'static str,
    /// What is wrong. Quotes the value, unless it may be a secret.
    pub found: String,
    /// What the value must be.
    pub expected: String,
}

/// The environment variables. An empty variable counts as not set.
pub struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Environment<'a> {
    /// `variable` returns the value of a variable, or `None` if it is not set.
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is a whole number from `least` to `most`. If the limits depend on another variable,
    /// `bound` names it for the error.
    pub fn number(
        &self,
        name: &'static str,
        default: u64,
        least: u64,
        most: u64,
        bound: &str,
    ) -> Result<u64, SettingError> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        match value.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(SettingError {
                name,
                found: format!("is \"{value}\""),
                expected: format!("a whole number from {least} to {most}{bound}"),
            }),
        }
    }

    /// The value of a variable that is one of a few names. `known` maps each name to a value, and `expected` lists the
    /// names for the error.
    pub fn choice<T>(
        &self,
        name: &'static str,
        default: T,
        expected: &str,
        known: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        known(&value).ok_or_else(|| SettingError {
            name,
            found: format!("is \"{value}\""),
            expected: expected.to_owned(),
        })
    }
}
