//! Log lines, as `wrangler dev` and `wrangler tail` show them.
//!
//! Nothing but a [`Line`] is ever written, and a [`Line`] escapes all that comes from outside of this program. So nobody
//! who adds a line has to think of control characters, or of the tokens in the URLs that the runtime's errors quote.

use std::cell::Cell;
use std::fmt::Display;

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

    /// Whether lines of this level are written, which `LOG_LEVEL` decides.
    pub fn is_enabled(self) -> bool {
        self >= THRESHOLD.get()
    }

    /// Writes `line` if lines of this level are written.
    pub fn log(self, line: impl FnOnce() -> Line) {
        if !self.is_enabled() {
            return;
        }
        let Line(text) = line();
        match self {
            // Not console.debug: wrangler dev hides that one.
            Self::Debug | Self::Info => worker::console_log!("{text}"),
            Self::Warn => worker::console_warn!("{text}"),
            Self::Error => worker::console_error!("{text}"),
        }
    }
}

thread_local! {
    /// The lowest level that is written. Until the settings are read, only errors are.
    static THRESHOLD: Cell<Level> = const { Cell::new(Level::Error) };
}

/// Sets the lowest level that is written.
pub fn set_threshold(level: Level) {
    THRESHOLD.set(level);
}

/// A line of the log: `words: name=value name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// A line that says in this program's own words what happened.
    pub fn new(words: &'static str) -> Self {
        Self(format!("{words}:"))
    }

    /// A line that says what was published to a channel.
    pub fn payload(channel: &str, payload: &str) -> Self {
        let (channel, payload) = (printable(channel), printable(payload));
        Self(format!("sent to {channel}: {payload}"))
    }

    /// Adds ` name=value`, with the value escaped and cut.
    pub fn field(mut self, name: &'static str, value: impl Display) -> Self {
        self.push(name, &printable(&value.to_string()));
        self
    }

    /// Adds ` error=…`. The text may be the runtime's, which quotes URLs of clients, and these may have a token in their
    /// query: every query is left out.
    pub fn error(mut self, error: &impl Display) -> Self {
        let text = without_queries(&error.to_string());
        self.push("error", &escaped(&text, MAX_ERROR_CHARS));
        self
    }

    fn push(&mut self, name: &str, value: &str) {
        for part in [" ", name, "=", value] {
            self.0.push_str(part);
        }
    }
}

/// The most characters of a payload or another value that a log line shows.
const MAX_VALUE_CHARS: usize = 200;

/// The most characters of an error that a log line shows: a path in it is up to 64 KiB long.
const MAX_ERROR_CHARS: usize = 1_000;

/// `text` without what follows any `?`, up to the next white space: in a URL there is none.
fn without_queries(text: &str) -> String {
    let mut in_query = false;
    let keeps = |character: &char| {
        let keeps = !in_query || character.is_whitespace();
        in_query = !keeps || *character == '?';
        keeps
    };
    text.chars().filter(keeps).collect()
}

/// `text`, cut and with control characters escaped, so that it is one line and cannot steer a terminal.
pub fn printable(text: &str) -> String {
    escaped(text, MAX_VALUE_CHARS)
}

fn escaped(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == max_chars {
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
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_words_and_fields() {
        let line = Line::new("listener connected").field("id", "foo");
        assert_eq!(line.field("conn", 1).0, "listener connected: id=foo conn=1");
        assert_eq!(Line::payload("foo", "a=b?c\n").0, "sent to foo: a=b?c\\n");
        let long = "x".repeat(201);
        assert_eq!(
            Line::new("a").field("b", &long).0,
            format!("a: b={}…", "x".repeat(200))
        );
    }

    #[test]
    fn an_error_shows_no_query_and_no_control_character() {
        let error = |text: &str| Line::new("request failed").error(&text).0;
        assert_eq!(
            error("TypeError: cannot load: http://a\u{1b}[31m,b/?channel=foo&token=S.E.C more"),
            "request failed: error=TypeError: cannot load: http://a\\u{1b}[31m,b/? more"
        );
        assert_eq!(
            error("http://a?b c/?token=S.E.C\nat d"),
            "request failed: error=http://a? c/?\\nat d"
        );
        assert_eq!(error("a? b"), "request failed: error=a? b");
        assert_eq!(
            error(&"x".repeat(1_001)),
            format!("request failed: error={}…", "x".repeat(1_000))
        );
    }

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
