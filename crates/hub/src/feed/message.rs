//! The text messages of a feed, which the Worker sends.

use std::fmt;

/// A message of the Worker to the object. The runtime answers the text [`PING`](Self::PING) without waking the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedMessage {
    /// `+n`: the client has taken `n` further bytes.
    Taken(u32),
    /// `=n`: the Worker holds `n` bytes that it has not acknowledged. It answers a frame that
    /// [asks](super::FrameHeader::asks) for it, if its client has not taken everything.
    Holds(u32),
    /// `!`: the client's token has expired in the middle of an event. The object sends the rest of the event, even if
    /// the window is shut, and closes the feed.
    Finish,
}

impl FeedMessage {
    /// A message to which the runtime answers with [`PONG`](Self::PONG).
    pub const PING: &str = "ping";

    /// The answer to [`PING`](Self::PING).
    pub const PONG: &str = "pong";

    /// Reads a message. Returns `None` if it is not one that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let is_canonical = text == "0" || !text.starts_with(['0', '+']);
            text.parse().ok().filter(|_| is_canonical)
        };
        if text == "!" {
            return Some(Self::Finish);
        }
        if let Some(bytes) = text.strip_prefix('+') {
            return number(bytes).map(Self::Taken);
        }
        text.strip_prefix('=').and_then(number).map(Self::Holds)
    }
}

impl fmt::Display for FeedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(bytes) => write!(f, "+{bytes}"),
            Self::Holds(bytes) => write!(f, "={bytes}"),
            Self::Finish => f.write_str("!"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let finish = FeedMessage::Finish;
        assert_eq!(FeedMessage::parse(&finish.to_string()), Some(finish));
        for bytes in [0, 1, 65_536, u32::MAX] {
            for message in [FeedMessage::Taken(bytes), FeedMessage::Holds(bytes)] {
                assert_eq!(FeedMessage::parse(&message.to_string()), Some(message));
            }
        }
    }

    #[test]
    fn any_other_text_is_no_message() {
        for text in [
            "",
            "+",
            "=",
            "+-1",
            "++1",
            "+ 1",
            "=1.5",
            "+4294967296",
            "+01",
            "=+1",
            "1",
            "ping",
            "+\u{0661}",
            "+1\n",
        ] {
            assert_eq!(FeedMessage::parse(text), None, "{text:?}");
        }
    }
}
