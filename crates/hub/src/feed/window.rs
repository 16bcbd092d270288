//! How much the object may send to a feed before the Worker acknowledges it.

use super::message::FeedMessage;
use crate::hub::MAX_CHUNK;

/// The most bytes of a channel that a Worker holds for a client that does not read. The end of a channel may add a
/// notice, and its deletion the rest of an event, too; the feed ends with these. After the object has slept, the Worker
/// may hold half as much again: see [`Window::after_sleep`].
pub const WINDOW_BYTES: usize = 2 * MAX_CHUNK;

/// The Worker acknowledges when its client has taken this many bytes. Each message of a Worker to an object is billed,
/// so the Worker does not acknowledge every frame.
pub const ACKNOWLEDGE_BYTES: usize = WINDOW_BYTES / 2;

/// The bytes that were sent to a feed and not acknowledged. The window is open if another chunk fits into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    outstanding: usize,
    question: Question,
}

/// Whether the object knows how many bytes the Worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The object has counted all bytes of the feed.
    NotNeeded,
    /// The next frame has to ask.
    Due,
    /// A frame has asked. This many bytes were sent after it.
    Asked(usize),
}

impl Window {
    /// The window of a new feed, to which `opening` bytes were sent.
    pub fn new(opening: usize) -> Self {
        Self {
            outstanding: opening,
            question: Question::NotNeeded,
        }
    }

    /// The window of a feed whose object has slept, and has forgotten what was not acknowledged.
    ///
    /// An object sleeps only while all windows are open, so the Worker holds less than [`ACKNOWLEDGE_BYTES`]. The next
    /// frame asks how many, and the Worker answers if its client has not taken everything. Without the question, a
    /// client that never reads would cost the Worker more memory with each sleep.
    pub fn after_sleep() -> Self {
        Self {
            outstanding: 0,
            question: Question::Due,
        }
    }

    /// Whether another chunk may be sent.
    ///
    /// While it is, the Worker has too few bytes to acknowledge. So no acknowledgement is on its way while the object
    /// sleeps, which the object would subtract from bytes that it sends later.
    pub fn is_open(&self) -> bool {
        self.outstanding < WINDOW_BYTES.saturating_sub(MAX_CHUNK)
    }

    /// Whether the next frame has to ask what the Worker holds.
    pub fn asks(&self) -> bool {
        self.question == Question::Due
    }

    /// Notes that `bytes` are sent. If the window [asks](Self::asks), the frame does.
    pub fn note_sent(&mut self, bytes: usize) {
        self.outstanding = self.outstanding.saturating_add(bytes);
        self.question = match self.question {
            Question::NotNeeded => Question::NotNeeded,
            Question::Due => Question::Asked(0),
            Question::Asked(after) => Question::Asked(after.saturating_add(bytes)),
        };
    }

    /// Notes a message of the Worker.
    pub fn note_message(&mut self, message: FeedMessage) {
        match (message, self.question) {
            // The Worker may acknowledge bytes that the object has forgotten in its sleep.
            (FeedMessage::Taken(bytes), _) => {
                self.outstanding = self.outstanding.saturating_sub(bytes as usize);
            }
            (FeedMessage::Holds(bytes), Question::Asked(after)) => {
                self.outstanding = after.saturating_add(bytes as usize);
                self.question = Question::NotNeeded;
            }
            (FeedMessage::Holds(_), Question::NotNeeded | Question::Due) => {}
            (FeedMessage::Finish, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_while_another_chunk_fits() {
        let mut window = Window::new(100);
        window.note_sent(ACKNOWLEDGE_BYTES - 101);
        assert!(window.is_open());
        window.note_sent(1);
        assert!(!window.is_open());
        window.note_message(FeedMessage::Taken(1));
        assert!(window.is_open());
        window.note_message(FeedMessage::Taken(u32::MAX));
        assert_eq!(window, Window::new(0));
    }

    #[test]
    fn the_first_frame_after_a_sleep_asks_and_the_answer_counts() {
        let mut window = Window::after_sleep();
        assert!(window.asks() && window.is_open());
        window.note_sent(10);
        assert!(!window.asks(), "it asks once");
        window.note_sent(20);
        window.note_message(FeedMessage::Holds(60_000));
        assert_eq!(window, Window::new(60_020));
    }

    #[test]
    fn an_answer_without_a_question_is_ignored() {
        let mut window = Window::new(5);
        window.note_message(FeedMessage::Holds(60_000));
        assert_eq!(window, Window::new(5));
    }
}
