//! Checks that a stream that resumes receives every event exactly once and with its own id.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::event::{Event, number};
use crate::stream::field;

/// The id after which a stream starts: `<epoch>-<seq>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartId {
    epoch: String,
    seq: u64,
}

impl StartId {
    /// Parses an id.
    pub fn read(id: &[u8]) -> Result<Self> {
        let (epoch, seq) = std::str::from_utf8(id)?
            .rsplit_once('-')
            .context("the channel's ids are not of the form <epoch>-<seq>")?;
        Ok(Self {
            epoch: epoch.to_owned(),
            seq: seq.parse()?,
        })
    }

    /// Formats the id.
    pub fn text(&self) -> String {
        format!("{}-{}", self.epoch, self.seq)
    }

    /// How many events after this id the event with `id` is, counted from 1. `None` for an id of another epoch or an
    /// earlier one.
    fn steps_to(&self, id: &[u8]) -> Option<u64> {
        let seq = id.strip_prefix(self.epoch.as_bytes())?.strip_prefix(b"-")?;
        number(seq)?.checked_sub(self.seq)
    }
}

/// Whether an event of this type reports that something is missing or has ended. `hub.open` begins every stream.
fn is_fault(event: &[u8]) -> bool {
    event.starts_with(b"hub.") && event != b"hub.open"
}

/// The faults of streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Events that never arrived.
    pub missed: u64,
    /// Events that arrived twice, or after a later event.
    pub doubled: u64,
    /// Events with the id of another event, or with no id of the channel.
    pub wrong_ids: u64,
    /// Notices about events that the hub did not deliver.
    pub notices: u64,
}

impl Faults {
    /// Adds the faults of another stream.
    pub fn add(&mut self, other: Self) {
        self.missed += other.missed;
        self.doubled += other.doubled;
        self.wrong_ids += other.wrong_ids;
        self.notices += other.notices;
    }
}

/// Checks one stream. Each publisher numbers its events from 0, beginning with its first event after the start id.
#[derive(Clone, Debug)]
pub struct Check {
    from: StartId,
    /// How many events were published from the start id up to the newest event that arrived, including missed events.
    pub reached: u64,
    /// The expected number of the next event of each publisher.
    next: Vec<u32>,
    /// How many missed ids do not belong to a missing event of a publisher yet.
    holes: u64,
    pub faults: Faults,
    /// The event in the block that is being read.
    event: Option<Event>,
    /// How many events after the start id the id in that block is.
    steps: Option<u64>,
}

impl Check {
    /// A check of a stream that resumes at `from`.
    pub fn new(from: StartId, publishers: usize) -> Self {
        Self {
            from,
            reached: 0,
            next: vec![0; publishers],
            holes: 0,
            faults: Faults::default(),
            event: None,
            steps: None,
        }
    }

    /// Processes a line of the stream.
    pub fn line(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.end_of_block();
        } else if let Some(data) = field(line, "data:") {
            self.event = Event::read(data);
        } else if let Some(id) = field(line, "id:") {
            self.steps = self.from.steps_to(id);
        } else if field(line, "event:").is_some_and(is_fault) {
            self.faults.notices += 1;
        }
    }

    fn end_of_block(&mut self) {
        let (event, steps) = (self.event.take(), self.steps.take());
        let Some(event) = event else {
            return;
        };
        let next = self.next.get_mut(event.publisher);
        let (Some(steps), Some(next)) = (steps.filter(|steps| *steps > 0), next) else {
            self.faults.wrong_ids += 1;
            return;
        };
        if steps <= self.reached || event.number < *next {
            self.faults.doubled += 1;
            return;
        }
        let missed = steps - self.reached - 1;
        self.faults.missed += missed;
        self.holes += missed;
        self.reached = steps;
        // A publisher cannot miss more events than ids were missed. Otherwise this id is the id of another event.
        let gap = u64::from(event.number - *next);
        *next = event.number + 1;
        match self.holes.checked_sub(gap) {
            Some(holes) => self.holes = holes,
            None => self.faults.wrong_ids += 1,
        }
    }

    /// The faults of the stream, if `events` events were published in total.
    pub fn faults_of(&self, events: u64) -> Faults {
        Faults {
            missed: self.faults.missed + events.saturating_sub(self.reached),
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The first block of a stream of the hub, and a heartbeat.
    const OPEN: &str = "retry: 2873\nevent: hub.open\n\
        data: {\"channel\":\"foo\",\"id\":\"7-100\"}\nid: 7-100\n\n:\n";

    /// Checks blocks of an event's number and its id after the id `7-100`. Numbers from 1,000 on are of a second
    /// publisher.
    fn check(blocks: &[(&str, u32)]) -> Check {
        let mut check = Check::new(StartId::read(b"7-100").unwrap(), 2);
        for line in OPEN.lines() {
            check.line(line.as_bytes());
        }
        for (id, number) in blocks {
            let mut data = "data: ".to_owned();
            let event = Event {
                publisher: *number as usize / 1_000,
                number: *number % 1_000,
                at: Duration::ZERO,
            };
            event.write(64, &mut data);
            for line in [data, format!("id: {id}"), String::new()] {
                check.line(line.as_bytes());
            }
        }
        check
    }

    #[test]
    fn a_stream_with_every_event_once_has_no_faults() {
        let check = check(&[("7-101", 0), ("7-102", 1), ("7-103", 2)]);
        assert_eq!((check.reached, check.faults_of(3)), (3, Faults::default()));
        assert_eq!(check.faults_of(5).missed, 2, "events that never arrived");
    }

    #[test]
    fn each_publisher_counts_its_own_events() {
        let faults = |blocks: &[(&str, u32)]| check(blocks).faults_of(4);
        let all = [
            ("7-101", 0),
            ("7-102", 1_000),
            ("7-103", 1_001),
            ("7-104", 1),
        ];
        assert_eq!(faults(&all), Faults::default());
        let first_and_last = [all[0], all[3]];
        assert_eq!(faults(&first_and_last).missed, 2);
        assert_eq!(faults(&[all[0], ("7-102", 1_001), all[3]]).wrong_ids, 1);
        assert_eq!(
            faults(&[("7-101", 2_000)]).wrong_ids,
            1,
            "there is no such publisher"
        );
    }

    #[test]
    fn repeated_missing_and_swapped_events_are_faults() {
        let faults = |blocks: &[(&str, u32)]| check(blocks).faults;
        let found = |missed, doubled, wrong_ids| Faults {
            missed,
            doubled,
            wrong_ids,
            notices: 0,
        };
        assert_eq!(faults(&[("7-101", 0), ("7-104", 3)]), found(2, 0, 0));
        assert_eq!(faults(&[("7-101", 0), ("7-101", 0)]), found(0, 1, 0));
        assert_eq!(faults(&[("7-102", 1), ("7-101", 0)]), found(1, 1, 0));
        assert_eq!(faults(&[("7-102", 0)]), found(1, 0, 0));
        assert_eq!(faults(&[("7-101", 1)]), found(0, 0, 1));
        assert_eq!(faults(&[("7-101", 0), ("7-102", 0)]), found(0, 1, 0));
        assert_eq!(faults(&[("8-101", 0)]), found(0, 0, 1));
        assert_eq!(faults(&[("7-99", 0)]), found(0, 0, 1));
        let mut check = check(&[]);
        for line in [
            "event: hub.gap",
            "data: {\"count\":1,\"from\":\"7-101\",\"to\":\"7-101\"}",
            "id: 7-101",
            "",
        ] {
            check.line(line.as_bytes());
        }
        assert_eq!((check.faults.notices, check.faults_of(1).missed), (1, 1));
    }

    #[test]
    fn a_start_id_is_formatted_as_it_was_parsed() {
        for id in ["7-100", "01M3ZP8X0KQ4T-17"] {
            assert_eq!(StartId::read(id.as_bytes()).unwrap().text(), id);
        }
        assert_eq!(StartId::read(b"a-b-0").unwrap().text(), "a-b-0");
        assert!(StartId::read(b"7").is_err());
        assert!(StartId::read(b"7-x").is_err());
    }
}
