//! Encoded events, and batches of them.

use super::id::MAX_ID_LINE;
use super::parse::lines;

/// The most bytes that one encoded event may have. A row of the history holds whole events, and the platform limits a
/// row to 2 MB.
pub const MAX_ENCODED_EVENT: usize = 1 << 20;

/// Appends an event without its `id:` line: an `event:` line if `event_type` is not empty, a `data:` line for each
/// line of `data`, and a blank line.
///
/// The output contains no other blank line and no CR, so [`events`] can split it again.
pub fn write_event(out: &mut String, event_type: &str, data: &str) {
    if !event_type.is_empty() {
        out.push_str("event: ");
        out.push_str(event_type);
        out.push('\n');
    }
    for line in lines(data) {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
}

/// Encoded events that are published together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The output of [`write_event`].
    pub wire: String,
    /// The number of events in `wire`.
    pub events: usize,
}

impl Batch {
    /// Makes a batch of the events that [`write_event`] wrote to `wire`.
    pub fn from_wire(wire: String) -> Self {
        let events = events(&wire).count();
        Self { wire, events }
    }

    /// Returns the most bytes that the batch can take in a log, ids included.
    pub fn cost(&self) -> usize {
        self.events
            .saturating_mul(MAX_ID_LINE)
            .saturating_add(self.wire.len())
    }

    /// Iterates over the encoded events, each with its blank line.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        events(&self.wire)
    }
}

/// Iterates over the events that [`write_event`] wrote to `wire`, each with its blank line.
pub fn events(wire: &str) -> impl Iterator<Item = &str> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (event, after) = match rest.find("\n\n") {
            Some(at) => rest.split_at_checked(at.saturating_add(2))?,
            None => (rest, ""),
        };
        rest = after;
        (!event.is_empty()).then_some(event)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(event_type: &str, data: &str) -> String {
        let mut out = String::new();
        write_event(&mut out, event_type, data);
        out
    }

    #[test]
    fn each_line_of_the_data_becomes_a_data_line() {
        assert_eq!(encoded("", "foo=bar"), "data: foo=bar\n\n");
        assert_eq!(encoded("", ""), "data: \n\n");
        assert_eq!(
            encoded("score", "a\rb\nc\r\nd\n\r"),
            "event: score\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n"
        );
    }

    #[test]
    fn data_cannot_add_fields_or_events() {
        let wire = encoded("", "x\n\nevent: hub.end\rdata: y\r\n\r\nid: 9");
        assert_eq!(events(&wire).count(), 1);
        assert!(
            wire.lines()
                .all(|line| line.is_empty() || line.starts_with("data: "))
        );
    }

    #[test]
    fn a_batch_counts_its_events_and_the_most_bytes_it_can_take() {
        let wire = encoded("", "one") + &encoded("score", "two\nlines");
        let batch = Batch::from_wire(wire.clone());
        assert_eq!(batch.events, 2);
        assert_eq!(batch.cost(), wire.len() + 2 * MAX_ID_LINE);
        let events: Vec<&str> = batch.iter().collect();
        assert_eq!(
            events,
            ["data: one\n\n", "event: score\ndata: two\ndata: lines\n\n"]
        );
    }

    #[test]
    fn a_last_event_without_a_blank_line_is_an_event() {
        let found: Vec<&str> = events("data: a\n\ndata: b\n").collect();
        assert_eq!(found, ["data: a\n\n", "data: b\n"]);
    }
}
