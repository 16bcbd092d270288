//! What a client reads, and a check that it is what the hub promises.

use std::collections::BTreeMap;

use crate::sse::{CombinedId, EventId};

/// What the client knows of a channel.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The id after which it asked the stream to continue.
    pub after: Option<EventId>,
    /// The id that it read last.
    pub last: Option<EventId>,
    /// Whether the last event was `hub.end`.
    pub has_ended: bool,
    /// Whether it read a `hub.gap` of unknown size.
    pub has_lost: bool,
    pub has_expired: bool,
    /// Whether it read a `hub.error` of any channel, and no `hub.open` of this channel after it.
    pub has_failed: bool,
}

/// A block that the client has read, and that the model has to compare with the channel.
#[derive(Debug, PartialEq, Eq)]
pub enum Check {
    /// An event with this data.
    Event(usize, EventId, String),
    /// A gap from the first to the second id.
    Gap(usize, EventId, EventId),
    /// Events were dropped.
    Dropped(usize),
}

/// Reads the bytes of a stream as a client does.
#[derive(Debug)]
pub struct Reader {
    channels: Vec<&'static str>,
    pub known: Vec<Known>,
    /// The bytes of a line that is not complete.
    line: Vec<u8>,
    /// The lines of a block that is not complete.
    block: Vec<String>,
    /// The last id, which the client sends when it reconnects.
    pub last_id: Option<String>,
    /// How many `hub.error` events there were.
    pub errors: usize,
    /// The last `retry:` field.
    pub retry: Option<u32>,
    pub heartbeats: usize,
}

impl Reader {
    /// A stream of `channels`, which continues after these ids.
    pub fn new(channels: Vec<&'static str>, after: Vec<Option<EventId>>) -> Self {
        let known = after.into_iter().map(|after| Known {
            after,
            ..Known::default()
        });
        Self {
            channels,
            known: known.collect(),
            line: Vec::new(),
            block: Vec::new(),
            last_id: None,
            errors: 0,
            retry: None,
            heartbeats: 0,
        }
    }

    /// Whether the bytes so far end between two blocks.
    pub fn is_between_blocks(&self) -> bool {
        self.line.is_empty() && self.block.is_empty()
    }

    /// Reads the next bytes. Checks the order of ids and notices.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Check> {
        let mut checks = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
            self.read_line(line.trim_end_matches('\n'), &mut checks);
        }
        checks
    }

    fn read_line(&mut self, line: &str, checks: &mut Vec<Check>) {
        if line.is_empty() {
            let block = std::mem::take(&mut self.block);
            checks.extend(self.read_block(&block));
        } else if line == ":" {
            assert!(self.block.is_empty(), "heartbeats come between blocks");
            assert!(self.retry.is_some(), "a stream begins with `retry:`");
            self.heartbeats += 1;
        } else if let Some(retry) = line.strip_prefix("retry: ") {
            assert!(self.block.is_empty(), "`retry:` comes between blocks");
            self.retry = Some(retry.parse().unwrap());
        } else {
            self.block.push(line.to_owned());
        }
    }

    fn read_block(&mut self, block: &[String]) -> Option<Check> {
        assert!(self.retry.is_some(), "a stream begins with `retry:`");
        let fields: BTreeMap<&str, &str> = block
            .iter()
            .map(|line| line.split_once(": ").unwrap())
            .collect();
        assert_eq!(fields.len(), block.len(), "no field comes twice: {block:?}");
        let data = *fields.get("data").unwrap();
        let event = fields.get("event").copied();
        if event == Some("hub.error") {
            for known in &mut self.known {
                known.has_failed = true;
            }
            assert!(!fields.contains_key("id"));
            self.errors += 1;
            return None;
        }
        let text = *fields.get("id").expect("every other block has an id");
        let (channel, id) = self.parse_id(text);
        let name = self.channels[channel];
        assert!(!data.contains("hub.") || data.contains(&format!("\"channel\":\"{name}\"")));
        let check = self.note(channel, event, id, data);
        self.known[channel].last = Some(id);
        self.check_positions(text);
        self.last_id = Some(text.to_owned());
        check
    }

    /// Returns the channel and the id.
    fn parse_id(&self, text: &str) -> (usize, EventId) {
        if self.channels.len() == 1 && !text.contains('/') {
            return (0, text.parse().unwrap());
        }
        let (event, _) = text.split_once(';').unwrap();
        let (name, id) = event.split_once('/').unwrap();
        let channel = self.channels.iter().position(|known| *known == name);
        (
            channel.expect("the channel is on the list"),
            id.parse().unwrap(),
        )
    }

    /// Checks that a combined id has the position of each channel.
    fn check_positions(&self, text: &str) {
        if !text.contains('/') {
            return;
        }
        let id: CombinedId = text.parse().unwrap();
        for (name, known) in self.channels.iter().zip(&self.known) {
            if let Some(position) = known.last.or(known.after) {
                assert_eq!(id.position(name), Some(position), "{name} in {text}");
            }
        }
    }

    fn note(
        &mut self,
        channel: usize,
        event: Option<&str>,
        id: EventId,
        data: &str,
    ) -> Option<Check> {
        let known = &mut self.known[channel];
        assert!(!known.has_expired, "nothing follows `hub.expired`");
        assert!(!known.has_ended, "nothing of the channel follows `hub.end`");
        let position = known.last.or(known.after);
        let missing = |known: &Known| {
            let last = known.last.expect("`hub.open` or an event comes first");
            let missing: serde_json::Value = serde_json::from_str(data).unwrap();
            let field = |name: &str| missing[name].as_str().unwrap().parse::<EventId>().unwrap();
            assert_eq!(field("from"), next(last));
            assert_eq!(field("to"), id);
            assert_eq!(missing["count"].as_u64().unwrap(), id.seq - last.seq);
            Check::Gap(channel, next(last), id)
        };
        let was_deleted = |last: EventId| id.seq == 0 && id.epoch > last.epoch;
        match event {
            Some("hub.open") => {
                let has_reason = known.has_lost || std::mem::take(&mut known.has_failed);
                match known.last {
                    Some(last) => assert!(last == id && has_reason),
                    None => assert!(known.after.is_none_or(|after| after == id)),
                }
            }
            Some("hub.gap") if data.contains("\"from\":null") => {
                let is_known = position.is_none_or(|position| id.epoch > position.epoch);
                assert!(is_known, "{position:?} is known, {id}");
                known.has_lost = true;
            }
            Some("hub.gap") => return Some(missing(known)),
            Some("hub.dropped") => {
                missing(known);
                return Some(Check::Dropped(channel));
            }
            Some("hub.end") => {
                assert!(position.is_none_or(|last| id == last || was_deleted(last)));
                known.has_ended = true;
                return None;
            }
            Some("hub.expired") => {
                assert_eq!(position, Some(id));
                known.has_expired = true;
            }
            Some(other) => panic!("{other}"),
            None => {
                let last = known.last.expect("`hub.open` comes first");
                assert_eq!(id, next(last), "no hole, and no event twice");
                return Some(Check::Event(channel, id, data.to_owned()));
            }
        }
        None
    }
}

fn next(id: EventId) -> EventId {
    EventId {
        seq: id.seq + 1,
        ..id
    }
}
