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
    /// It begins or ends with a character that is, or was, white space.
    #[error("it begins or ends with white space or a control character, which some clients remove")]
    OuterSpace,
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
    } else if event_type.starts_with(is_trimmed) || event_type.ends_with(is_trimmed) {
        Err(TypeError::OuterSpace)
    } else if event_type.starts_with(RESERVED_PREFIX) {
        Err(TypeError::Reserved)
    } else {
        Ok(())
    }
}

/// Whether some client removes this character from the ends of a type. Then ` hub.end` would be a notice to that
/// client. This is what the trim functions of JavaScript, Python, Java, Go, C#, PHP and Ruby remove together: the white
/// space of Unicode, the control characters, U+FEFF, and U+180E and U+200B, which older versions count as white space.
fn is_trimmed(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{180e}' | '\u{200b}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_type_has_no_character_at_its_ends_that_a_client_removes() {
        let removed = [
            " ", "\t", "\u{b}", "\u{c}", "\u{1c}", "\u{1f}", "\u{7f}", "\u{85}", "\u{a0}",
            "\u{1680}", "\u{180e}", "\u{2000}", "\u{200a}", "\u{200b}", "\u{2028}", "\u{2029}",
            "\u{202f}", "\u{205f}", "\u{3000}", "\u{feff}", "\u{1}",
        ];
        for space in removed {
            for bad in [
                format!("{space}hub.end"),
                format!("hub.end{space}"),
                format!("{space}a"),
                format!("a{space}"),
                space.to_owned(),
            ] {
                assert_eq!(check_type(&bad), Err(TypeError::OuterSpace), "{bad:?}");
            }
            assert_eq!(check_type(&format!("a{space}b")), Ok(()), "{space:?}");
        }
        for good in [
            "Hub.end",
            "HUB.END",
            "hub",
            ".hub.",
            "\u{200d}a",
            "a\u{301}",
        ] {
            assert_eq!(check_type(good), Ok(()), "{good:?}");
        }
    }

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
