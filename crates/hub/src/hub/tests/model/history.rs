//! The history of the model.

use crate::Millis;
use crate::history::{History, HistoryError, Page};
use crate::sse::Batch;

/// A history that holds a number of the newest events, or no history at all.
#[derive(Debug)]
pub struct FakeHistory {
    /// How many events it holds. `None` means that the channel has no history.
    pub holds: Option<u64>,
    /// The stored batches.
    rows: Vec<Page>,
    /// The number of the next event to store.
    pub next_seq: u64,
    /// The number of the oldest event held. An event that was removed does not come back if `holds` grows.
    tail: u64,
    /// Makes the next read of a page fail.
    pub fails: bool,
}

impl FakeHistory {
    pub fn new(holds: Option<u64>) -> Self {
        Self {
            holds,
            rows: Vec::new(),
            next_seq: 1,
            tail: 1,
            fails: false,
        }
    }

    pub fn store(&mut self, batch: &Batch) {
        self.rows.push(Page {
            first: self.next_seq,
            wire: batch.wire.clone(),
        });
        self.next_seq += batch.events as u64;
    }
}

impl History for FakeHistory {
    fn tail(&mut self, _now: Millis) -> Result<Option<u64>, HistoryError> {
        let Some(holds) = self.holds else {
            return Ok(None);
        };
        self.tail = self.tail.max(self.next_seq.saturating_sub(holds));
        Ok(Some(self.tail))
    }

    fn page(&mut self, seq: u64) -> Result<Page, HistoryError> {
        assert!(self.holds.is_some(), "there is no history to read");
        if std::mem::take(&mut self.fails) {
            return Err(HistoryError("the test makes this read fail".into()));
        }
        assert!(
            seq >= self.tail,
            "the hub asks only for events that are held"
        );
        let after = self.rows.partition_point(|row| row.first <= seq);
        let mut page = self.rows[after - 1].clone();
        // A page consists of up to three rows.
        for row in self.rows.iter().skip(after).take(2) {
            page.wire.push_str(&row.wire);
        }
        Ok(page)
    }
}
