//! Counts the events that arrive.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::event::Event;

/// The counts of all streams together.
#[derive(Debug)]
pub struct Tally {
    /// Since the load began.
    pub load: Counts,
    /// Since the last sample.
    pub sample: Counts,
    /// All events that arrived in order, including those before the measurement.
    pub seen: u64,
    /// Events that arrived twice, or after a later event of the same publisher.
    pub out_of_order: u64,
    /// Ids of measured events that followed their data.
    pub ids: u64,
    /// The length of these ids, in bytes.
    pub id_bytes: u64,
    /// Combined ids that are not those of their events.
    pub wrong_ids: u64,
    /// When the last event arrived, measured from the beginning of the run.
    pub last: Duration,
    /// Streams that the server ended.
    pub ended: usize,
}

/// The counts of a span of time.
#[derive(Debug)]
pub struct Counts {
    /// Events that arrived in order.
    pub delivered: u64,
    /// The times from when events were due to be published until they arrived, in microseconds.
    pub latency: Histogram<u64>,
}

impl Counts {
    pub fn new() -> Self {
        let minute = 60_000_000;
        let latency = Histogram::new_with_bounds(1, minute, 3).expect("these bounds are valid");
        Self {
            delivered: 0,
            latency,
        }
    }

    fn add(&mut self, latency: u64) {
        self.delivered += 1;
        self.latency.saturating_record(latency);
    }
}

impl Tally {
    pub fn new() -> Self {
        Self {
            load: Counts::new(),
            sample: Counts::new(),
            seen: 0,
            out_of_order: 0,
            ids: 0,
            id_bytes: 0,
            wrong_ids: 0,
            last: Duration::ZERO,
            ended: 0,
        }
    }

    /// Counts an event that arrived in order at `now`. `measured` is false for an event before the measurement.
    pub fn arrived(&mut self, event: Event, now: Duration, measured: bool) {
        self.seen += 1;
        self.last = now;
        if measured {
            let latency = now.saturating_sub(event.at).as_micros();
            let latency = u64::try_from(latency).unwrap_or(u64::MAX);
            self.load.add(latency);
            self.sample.add(latency);
        }
    }
}

/// The events that one stream expects next.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The number of the next event of each publisher.
    next: Vec<u32>,
}

impl Expected {
    pub fn new(publishers: usize) -> Self {
        Self {
            next: vec![0; publishers],
        }
    }

    /// Whether `event` arrived in order. Earlier events that have not arrived yet are not expected any more.
    pub fn in_order(&mut self, event: Event) -> bool {
        let Some(next) = self.next.get_mut(event.publisher) else {
            return false;
        };
        let in_order = event.number >= *next;
        if in_order {
            *next = event.number + 1;
        }
        in_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_publisher_has_its_own_order() {
        let mut expected = Expected::new(2);
        let mut in_order = |publisher, number| {
            let at = Duration::ZERO;
            expected.in_order(Event {
                publisher,
                number,
                at,
            })
        };
        assert!(in_order(0, 0));
        assert!(in_order(0, 2), "number 1 is lost");
        assert!(!in_order(0, 1), "number 1 is late");
        assert!(!in_order(0, 2), "number 2 arrives twice");
        assert!(in_order(1, 0));
        assert!(!in_order(2, 0), "there is no such publisher");
    }
}
