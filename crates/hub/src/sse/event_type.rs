//! The event types that a publisher may use.

/// The longest event type, in characters.
pub const MAX_TYPE_CHARS: usize = 64;

/// The hub reserves the event types with this prefix for its own notices.
pub const RESERVED_PREFIX: &str = "hub.";

/// The reason why a string cannot be the type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// It contains CR or LF, which would end the line, or NUL.
    #[error("it contains CR, LF or NUL")]
    Control,
    /// It is longer than [`MAX_TYPE_CHARS`].
    #[error("it is longer than {MAX_TYPE_CHARS} characters")]
    TooLong,
    /// It begins with [`RESERVED_PREFIX`].
    #[error("types that begin with \"{RESERVED_PREFIX}\" are the hub's own")]
    Reserved,
}

/// Checks that a publisher may use `event_type`.
pub fn check_type(event_type: &str) -> Result<(), TypeError> {
    if event_type.contains(['\r', '\n', '\0']) {
        Err(TypeError::Control)
    } else if event_type.chars().count() > MAX_TYPE_CHARS {
        Err(TypeError::TooLong)
    } else if event_type.starts_with(RESERVED_PREFIX) {
        Err(TypeError::Reserved)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_fit_one_short_line_and_do_not_begin_with_hub() {
        assert_eq!(check_type("score"), Ok(()));
        assert_eq!(check_type(""), Ok(()));
        assert_eq!(check_type(&"é".repeat(64)), Ok(()));
        assert_eq!(check_type(&"é".repeat(65)), Err(TypeError::TooLong));
        for bad in ["a\nb", "a\rb", "a\0b"] {
            assert_eq!(check_type(bad), Err(TypeError::Control));
        }
        assert_eq!(check_type("hub.end"), Err(TypeError::Reserved));
        assert_eq!(check_type("hubble"), Ok(()));
    }
}
