//! Variables, and what is wrong with them. Pure.

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {found}: it has to be {expected}")]
pub struct SettingError {
    /// Which variable.
    pub name: &'static str,
    /// What is wrong with it; what it was set to, where that is no secret.
    pub found: String,
    /// What would be right.
    pub expected: String,
}

/// Where variables come from. One that is empty counts as not set.
pub struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Environment<'a> {
    /// `variable` gives a variable's value, `None` where it is not set.
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable }
    }

    /// A variable's text.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// A whole number from `least` to `most`; `bound` says which other variable set the upper limit.
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

    /// One of a few names, which `expected` lists, as what `known` makes of it.
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
