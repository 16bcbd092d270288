//! Counting what arrives.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::event::Event;

/// What all streams together have got.
#[derive(Debug)]
pub struct Tally {
    /// Since the load began.
    pub load: Counts,
    /// Since the last sample.
    pub sample: Counts,
    /// All events that came, those of the warm-up as well.
    pub seen: u64,
    /// Events that came after a later one of the same publisher, or twice.
    pub out_of_order: u64,
    /// When the last event came, since the run began.
    pub last: Duration,
    /// Streams that the server ended.
    pub ended: usize,
}

/// Counts of a span of time.
#[derive(Debug)]
pub struct Counts {
    /// Events that came in order.
    pub delivered: u64,
    /// From when an event was due to be published to its arrival, in microseconds.
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
            last: Duration::ZERO,
            ended: 0,
        }
    }

    /// An event came at `now`; `measured` unless it was of the warm-up.
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

/// What one stream is to get next.
#[derive(Debug)]
pub struct Expected {
    /// For each publisher the number of its next event.
    next: Vec<u32>,
}

impl Expected {
    pub fn new(publishers: usize) -> Self {
        Self {
            next: vec![0; publishers],
        }
    }

    /// Whether `event` comes in its order. Lost ones before it are not waited for any more.
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
    fn order_is_each_publishers_own() {
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
        assert!(!in_order(0, 1), "or late");
        assert!(!in_order(0, 2), "or here twice");
        assert!(in_order(1, 0));
        assert!(!in_order(2, 0), "there is no such publisher");
    }
}
