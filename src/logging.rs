//! The log. `wrangler dev`, `wrangler tail` and `npm run serve` show it.
//!
//! Every entry is a [`Line`], and a [`Line`] escapes each value that comes from outside of the program. Code that logs
//! therefore need not handle control characters, or tokens in the URLs that errors of the runtime quote.

use std::cell::Cell;
use std::fmt::Display;

/// The severity of a log line. `LOG_LEVEL` is the lowest severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The data of published events.
    Debug,
    /// Streams that open, close, start or stop dropping events, or catch up.
    Info,
    /// A failure that the hub handles by itself, or the end of a failure.
    Warn,
    /// Any other failure.
    Error,
}

impl Level {
    /// The level with this name, in lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// Whether lines of this level are logged.
    pub fn is_enabled(self) -> bool {
        self >= THRESHOLD.get()
    }

    /// Logs the line that `line` returns, if lines of this level are logged.
    pub fn log(self, line: impl FnOnce() -> Line) {
        if !self.is_enabled() {
            return;
        }
        let Line(text) = line();
        match self {
            // `wrangler dev` hides the output of console.debug.
            Self::Debug | Self::Info => worker::console_log!("{text}"),
            Self::Warn => worker::console_warn!("{text}"),
            Self::Error => worker::console_error!("{text}"),
        }
    }
}

thread_local! {
    /// The lowest level that is logged. Before the settings are read, that is [`Level::Error`].
    static THRESHOLD: Cell<Level> = const { Cell::new(Level::Error) };
}

/// Sets the lowest level that is logged.
pub fn set_threshold(level: Level) {
    THRESHOLD.set(level);
}

/// A log line: `message: name=value name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// A line with a fixed message. [`field`](Self::field) adds values.
    pub fn new(message: &'static str) -> Self {
        Self(format!("{message}:"))
    }

    /// A line with the data of an event that was published to `channel`.
    pub fn payload(channel: &str, payload: &str) -> Self {
        let (channel, payload) = (printable(channel), printable(payload));
        Self(format!("sent to {channel}: {payload}"))
    }

    /// Adds ` name=value`. The value is escaped and cut.
    pub fn field(mut self, name: &'static str, value: impl Display) -> Self {
        self.push(name, &printable(&value.to_string()));
        self
    }

    /// Adds ` error=…`. An error of the runtime may quote the URL of a request, with a token in its query, so the
    /// queries of all URLs are left out.
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

/// The longest value in a log line, in characters. Longer ones are cut.
const MAX_VALUE_CHARS: usize = 200;

/// The longest error in a log line, in characters. The runtime may quote a path of 64 KiB.
const MAX_ERROR_CHARS: usize = 1_000;

/// Removes the characters between each `?` and the next white space, because a URL ends at white space.
fn without_queries(text: &str) -> String {
    let mut in_query = false;
    let keeps = |character: &char| {
        let keeps = !in_query || character.is_whitespace();
        in_query = !keeps || *character == '?';
        keeps
    };
    text.chars().filter(keeps).collect()
}

/// Escapes control characters, so that the text stays on one line and cannot control a terminal. Also cuts long text.
pub fn printable(text: &str) -> String {
    escaped(text, MAX_VALUE_CHARS)
}

/// Like [`printable`], but without cutting long text.
pub fn on_one_line(text: &str) -> String {
    escaped(text, usize::MAX)
}

fn escaped(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == max_chars {
            out.push('…');
            break;
        }
        if character.is_control() || changes_layout(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a character ends a line, or changes the direction of the text around it (Unicode, annex 9). A log line with
/// such a character could look like another one.
fn changes_layout(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_message_and_fields() {
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
    fn an_error_is_logged_without_queries_and_control_characters() {
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
    fn line_ends_and_control_characters_are_escaped() {
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
    fn values_longer_than_200_characters_are_cut() {
        assert_eq!(printable(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(printable(&"é".repeat(201)), "é".repeat(200) + "…");
    }

    const LEVELS: [(&str, Level); 4] = [
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ];

    #[test]
    fn a_level_is_enabled_at_and_above_the_threshold_only() {
        let enabled = || LEVELS.map(|(_, level)| level.is_enabled());
        set_threshold(Level::Debug);
        assert_eq!(enabled(), [true, true, true, true]);
        set_threshold(Level::Info);
        assert_eq!(enabled(), [false, true, true, true]);
        set_threshold(Level::Warn);
        assert_eq!(enabled(), [false, false, true, true]);
        set_threshold(Level::Error);
        assert_eq!(enabled(), [false, false, false, true]);
    }

    #[test]
    fn a_line_below_the_threshold_is_not_built() {
        set_threshold(Level::Error);
        for level in [Level::Debug, Level::Info, Level::Warn] {
            let mut is_built = false;
            level.log(|| {
                is_built = true;
                Line::new("a")
            });
            assert!(!is_built, "{level:?}");
        }
    }

    #[test]
    fn a_level_has_a_name_in_lower_case() {
        for (name, level) in LEVELS {
            assert_eq!(Level::from_name(name), Some(level));
            assert_eq!(Level::from_name(&name.to_uppercase()), None);
        }
        assert_eq!(Level::from_name(""), None);
    }
}
