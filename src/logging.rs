//! Log lines, as `wrangler dev` and `wrangler tail` show them.

/// How much is logged: a level logs itself and what is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What was published, word for word.
    Debug,
    /// Streams that come, go, drop and catch up.
    Info,
    /// What went wrong and was made good.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    /// The level called `name` (lower case).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// Writes `line`, which has level `self`, where `threshold` lets it through.
    pub fn log(self, threshold: Level, line: impl FnOnce() -> String) {
        if self < threshold {
            return;
        }
        match self {
            // Not console.debug: wrangler dev hides that one.
            Self::Debug | Self::Info => worker::console_log!("{}", line()),
            Self::Warn => worker::console_warn!("{}", line()),
            Self::Error => worker::console_error!("{}", line()),
        }
    }
}

/// The most characters of a payload that a log line shows.
const MAX_PAYLOAD_CHARS: usize = 200;

/// `payload`, cut and with control characters escaped, so that it is one line and cannot steer a terminal.
pub fn printable(payload: &str) -> String {
    let mut out = String::new();
    for (count, character) in payload.chars().enumerate() {
        if count == MAX_PAYLOAD_CHARS {
            out.push('…');
            break;
        }
        if character.is_control() || steers_layout(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a character ends a line, or turns the direction in which others are shown (Unicode, annex 9): a log line that
/// has one may be read as another.
fn steers_layout(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_stay_on_one_line() {
        assert_eq!(printable("foo=bar"), "foo=bar");
        assert_eq!(
            printable("a\nb\r\u{1b}[2Jé\u{85}"),
            "a\\nb\\r\\u{1b}[2Jé\\u{85}"
        );
        assert_eq!(
            printable("a\u{2028}b\u{2029}c\u{202e}d\u{2067}e"),
            "a\\u{2028}b\\u{2029}c\\u{202e}d\\u{2067}e"
        );
    }

    #[test]
    fn long_payloads_are_cut() {
        assert_eq!(printable(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(printable(&"é".repeat(201)), "é".repeat(200) + "…");
    }

    #[test]
    fn levels_are_ordered_by_gravity() {
        assert!(Level::Debug < Level::Info && Level::Warn < Level::Error);
        assert_eq!(Level::from_name("warn"), Some(Level::Warn));
        assert_eq!(Level::from_name("WARN"), None);
    }
}
