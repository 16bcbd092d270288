//! The ids of recent publishes, so that the Worker can find out whether a publish was stored when its answer was lost.
//!
//! The Worker numbers its publishes, and the object notes the id of a publish before it commits it. Where the answer is
//! lost, the Worker compares that id with what the channel's next object has stored, and knows whether the publish was
//! stored. This works where the Worker and the objects share the memory of one instance, as in `npm run serve`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use sse_hub::sse::EventId;

/// How many publishes are remembered.
const MAX_COMMITS: usize = 4_096;

/// What is known of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Its object never began to commit it.
    NotCommitted,
    /// Its object began to commit it; its last event got this id.
    Committed(EventId),
    /// Too many publishes came after it.
    Forgotten,
}

/// The numbers and ids of the publishes that were committed last.
#[derive(Default)]
struct Attempts {
    next: Cell<u64>,
    commits: RefCell<VecDeque<(u64, EventId)>>,
    /// The largest number that was forgotten.
    forgotten: Cell<u64>,
}

impl Attempts {
    fn begin(&self) -> u64 {
        let number = self.next.get().saturating_add(1);
        self.next.set(number);
        number
    }

    fn committing(&self, number: u64, last: EventId) {
        let mut commits = self.commits.borrow_mut();
        commits.push_back((number, last));
        if commits.len() > MAX_COMMITS {
            let oldest = commits.pop_front().map_or(0, |(number, _)| number);
            self.forgotten.set(self.forgotten.get().max(oldest));
        }
    }

    fn find(&self, number: u64) -> Attempt {
        let commits = self.commits.borrow();
        let found = commits.iter().rev().find(|(known, _)| *known == number);
        match found {
            Some((_, last)) => Attempt::Committed(*last),
            None if number <= self.forgotten.get() => Attempt::Forgotten,
            None => Attempt::NotCommitted,
        }
    }
}

thread_local! {
    static ATTEMPTS: Attempts = Attempts::default();
}

/// A number for a publish, which nothing else has in this instance.
pub fn begin() -> u64 {
    ATTEMPTS.with(Attempts::begin)
}

/// Notes that an object is about to commit a publish, whose last event gets the id `last`.
pub fn committing(number: u64, last: EventId) {
    ATTEMPTS.with(|attempts| attempts.committing(number, last));
}

/// What is known of a publish.
pub fn find(number: u64) -> Attempt {
    ATTEMPTS.with(|attempts| attempts.find(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_is_found_until_too_many_came_after_it() {
        let attempts = Attempts::default();
        let id = |seq| EventId { epoch: 7, seq };
        let (first, second) = (attempts.begin(), attempts.begin());
        attempts.committing(second, id(1));
        assert_eq!(attempts.find(first), Attempt::NotCommitted);
        assert_eq!(attempts.find(second), Attempt::Committed(id(1)));
        for seq in 2..=MAX_COMMITS as u64 {
            attempts.committing(attempts.begin(), id(seq));
        }
        assert_eq!(attempts.find(second), Attempt::Committed(id(1)));
        let last = attempts.begin();
        attempts.committing(last, id(9));
        assert_eq!(attempts.find(second), Attempt::Forgotten);
        assert_eq!(attempts.find(first), Attempt::Forgotten);
        assert_eq!(attempts.find(last), Attempt::Committed(id(9)));
        assert_eq!(attempts.commits.borrow().len(), MAX_COMMITS);
    }
}
