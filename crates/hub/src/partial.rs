//! Events that are larger than a chunk. Streams get them in several parts.

use std::rc::{Rc, Weak};

/// The rest of an event that a stream gets in parts.
#[derive(Clone, Debug)]
pub struct PartialEvent {
    event: Rc<Vec<u8>>,
    /// The number of bytes that the stream has been given.
    offset: usize,
}

impl PartialEvent {
    /// An event whose first part has not been given to the stream yet.
    pub fn new(event: Rc<Vec<u8>>) -> Self {
        Self { event, offset: 0 }
    }

    /// Appends at most `max_bytes` of the event to `out`. Returns what is left, if anything is.
    pub fn read(self, max_bytes: usize, out: &mut Vec<u8>) -> Option<Self> {
        let Self { event, offset } = self;
        let end = offset.saturating_add(max_bytes).min(event.len());
        let part = event.get(offset..end);
        debug_assert!(part.is_some(), "the offset is within the event");
        out.extend_from_slice(part.unwrap_or_default());
        (end < event.len()).then_some(Self { event, offset: end })
    }
}

/// Two values are equal if they are the same part of the same copy.
impl PartialEq for PartialEvent {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset && Rc::ptr_eq(&self.event, &other.event)
    }
}

/// The events that some stream gets in parts, by sequence number. All streams share one copy of each event, and the
/// last stream that needs it frees it.
#[derive(Debug, Default)]
pub struct PartialEvents(Vec<(u64, Weak<Vec<u8>>)>);

impl PartialEvents {
    /// Returns the shared copy of event `seq`, if a stream still needs the event.
    pub fn get(&self, seq: u64) -> Option<Rc<Vec<u8>>> {
        let known = self.0.iter().find(|(known, _)| *known == seq);
        known.and_then(|(_, event)| event.upgrade())
    }

    /// Makes `event` the shared copy of event `seq`.
    pub fn insert(&mut self, seq: u64, event: Vec<u8>) -> Rc<Vec<u8>> {
        self.0.retain(|(_, event)| event.strong_count() > 0);
        let event = Rc::new(event);
        self.0.push((seq, Rc::downgrade(&event)));
        event
    }

    /// Returns the bytes of memory that the copies take.
    pub fn memory(&self) -> usize {
        self.0
            .iter()
            .filter_map(|(_, event)| event.upgrade())
            .map(|event| event.capacity())
            .fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_in_parts_until_nothing_is_left() {
        let event = PartialEvent::new(Rc::new(b"0123456789".to_vec()));
        let mut out = Vec::new();
        let rest = event.read(4, &mut out).unwrap();
        assert_eq!(out, b"0123");
        let rest = rest.read(4, &mut out).unwrap();
        assert_eq!(rest.read(2, &mut out), None);
        assert_eq!(out, b"0123456789");
    }

    #[test]
    fn parts_are_equal_if_they_have_the_same_copy_and_offset() {
        let event = PartialEvent::new(Rc::new(vec![0; 10]));
        let other_copy = PartialEvent::new(Rc::new(vec![0; 10]));
        assert_eq!(event, event.clone());
        assert_ne!(event, other_copy);
        assert_ne!(event.clone().read(1, &mut Vec::new()), Some(event));
    }

    #[test]
    fn streams_share_one_copy_until_none_needs_it() {
        let mut events = PartialEvents::default();
        let first = events.insert(7, vec![1; 100]);
        let second = events.insert(8, vec![2; 50]);
        assert!(Rc::ptr_eq(&first, &events.get(7).unwrap()));
        assert!(Rc::ptr_eq(&second, &events.get(8).unwrap()));
        assert_eq!(events.memory(), 150);
        drop(first);
        assert_eq!(events.memory(), 50);
        assert_eq!(events.get(7), None);
        let again = events.insert(7, vec![3]);
        assert!(Rc::ptr_eq(&again, &events.get(7).unwrap()));
        assert_eq!(events.0.len(), 2, "the entry of the freed copy is removed");
    }
}
