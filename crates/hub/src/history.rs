//! The events that a channel keeps beyond its log, as far as the hub needs to know them.

use crate::Millis;
use crate::sse;

/// Appended events that are kept for longer than the log keeps them.
///
/// The hub only reads a history. The caller stores events before it appends them to the hub.
pub trait History {
    /// Returns the sequence number of the oldest event held at `now`, or of the next event if none is held. Returns
    /// `None` if there is no history at all: then the channel holds only what its log holds.
    fn tail(&mut self, now: Millis) -> Result<Option<u64>, HistoryError>;

    /// Returns consecutive events, event `seq` among them, which the history holds. A page should have about as many
    /// bytes as a chunk.
    fn page(&mut self, seq: u64) -> Result<Page, HistoryError>;
}

/// Consecutive events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The sequence number of the first event.
    pub first: u64,
    /// The events, as [`crate::sse::write_event`] writes them.
    pub wire: String,
}

impl Page {
    /// Iterates over the events of the page from event `seq` on. It is an error if the page does not hold event `seq`.
    pub(crate) fn events_from(&self, seq: u64) -> Result<impl Iterator<Item = &str>, HistoryError> {
        let missing = || {
            HistoryError(format!(
                "event {seq} is missing in the page of event {}",
                self.first
            ))
        };
        let skipped = seq.checked_sub(self.first).ok_or_else(missing)?;
        let skipped = usize::try_from(skipped).map_err(|_| missing())?;
        let mut events = sse::events(&self.wire).skip(skipped).peekable();
        events.peek().ok_or_else(missing)?;
        Ok(events)
    }
}

/// Events could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct HistoryError(pub String);

/// The history of a channel that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        Ok(None)
    }

    fn page(&mut self, seq: u64) -> Result<Page, HistoryError> {
        Err(HistoryError(format!("event {seq} was never stored")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page {
            first: 7,
            wire: "data: 7\n\ndata: 8\n\n".into(),
        }
    }

    #[test]
    fn a_page_is_read_from_any_event_that_it_holds() {
        let page = page();
        let from = |seq| page.events_from(seq).unwrap().collect::<Vec<_>>();
        assert_eq!(from(7), ["data: 7\n\n", "data: 8\n\n"]);
        assert_eq!(from(8), ["data: 8\n\n"]);
    }

    #[test]
    fn an_event_that_a_page_does_not_hold_is_an_error() {
        for seq in [0, 6, 9, u64::MAX] {
            let error = page().events_from(seq).err().unwrap();
            assert!(error.to_string().contains("is missing"), "{error}");
        }
    }

    #[test]
    fn a_channel_without_a_history_has_no_tail_and_no_pages() {
        assert_eq!(NoHistory.tail(0), Ok(None));
        let error = NoHistory.page(7).unwrap_err();
        assert!(error.to_string().contains("event 7 was never stored"));
    }
}
