//! The ids of recent publishes, so that the Worker can find out whether a publish was stored if its answer was lost.
//!
//! The Worker numbers its publishes. An object records number and id of a publish before it commits it. If the answer
//! is lost, the Worker compares the id with the newest event that the channel's next object has found in its storage,
//! and knows whether the publish was stored. This requires that the Worker and the objects share one instance, as in
//! `npm run serve`.

use std::cell::Cell;
use std::collections::VecDeque;

use crate::isolate::exclusive::Exclusive;
use sse_hub::sse::EventId;

/// The number of commits that are remembered.
const MAX_COMMITS: usize = 4_096;

/// How far a publish got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The object never began to commit the publish.
    NotCommitted,
    /// The object began to commit the publish. Its last event got this id.
    Committed(EventId),
    /// Unknown, because too many publishes have followed.
    Forgotten,
}

/// The numbers and ids of the latest commits.
#[derive(Default)]
struct CommitLog {
    last_number: Cell<u64>,
    commits: Exclusive<VecDeque<(u64, EventId)>>,
    /// The largest number that was forgotten.
    forgotten: Cell<u64>,
}

impl CommitLog {
    fn next_number(&self) -> u64 {
        let number = self.last_number.get().saturating_add(1);
        self.last_number.set(number);
        number
    }

    fn record(&self, number: u64, last: EventId) {
        let forgotten = self.commits.with(|commits| {
            commits.push_back((number, last));
            let is_full = commits.len() > MAX_COMMITS;
            is_full.then(|| commits.pop_front()).flatten()
        });
        if let Some((oldest, _)) = forgotten.flatten() {
            self.forgotten.set(self.forgotten.get().max(oldest));
        }
    }

    fn progress(&self, number: u64) -> Progress {
        let last = self.commits.with(|commits| {
            let mut newest_first = commits.iter().rev();
            newest_first
                .find(|(known, _)| *known == number)
                .map(|(_, last)| *last)
        });
        match last.flatten() {
            Some(last) => Progress::Committed(last),
            None if number <= self.forgotten.get() => Progress::Forgotten,
            None => Progress::NotCommitted,
        }
    }
}

thread_local! {
    static COMMIT_LOG: CommitLog = CommitLog::default();
}

/// Returns a number for a publish, which is unique in this instance.
pub fn next_number() -> u64 {
    COMMIT_LOG.with(CommitLog::next_number)
}

/// Records that an object is about to commit publish `number`, whose last event gets the id `last`.
pub fn record(number: u64, last: EventId) {
    COMMIT_LOG.with(|log| log.record(number, last));
}

/// Returns how far publish `number` got.
pub fn progress(number: u64) -> Progress {
    COMMIT_LOG.with(|log| log.progress(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_hub::sse::Epoch;

    #[test]
    fn a_commit_is_remembered_until_4096_others_have_followed() {
        let log = CommitLog::default();
        let id = |seq| EventId {
            epoch: Epoch::new(7, 0),
            seq,
        };
        let (first, second) = (log.next_number(), log.next_number());
        log.record(second, id(1));
        assert_eq!(log.progress(first), Progress::NotCommitted);
        assert_eq!(log.progress(second), Progress::Committed(id(1)));
        for seq in 2..=MAX_COMMITS as u64 {
            log.record(log.next_number(), id(seq));
        }
        assert_eq!(log.progress(second), Progress::Committed(id(1)));
        let last = log.next_number();
        log.record(last, id(9));
        assert_eq!(log.progress(second), Progress::Forgotten);
        assert_eq!(log.progress(first), Progress::Forgotten);
        assert_eq!(log.progress(last), Progress::Committed(id(9)));
        assert_eq!(log.commits.with(|commits| commits.len()), Some(MAX_COMMITS));
    }

    #[test]
    fn a_publish_that_is_committed_twice_has_the_id_of_the_last_commit() {
        let log = CommitLog::default();
        let id = |seq| EventId {
            epoch: Epoch::new(7, 0),
            seq,
        };
        let number = log.next_number();
        log.record(number, id(1));
        log.record(number, id(2));
        assert_eq!(log.progress(number), Progress::Committed(id(2)));
    }
}
