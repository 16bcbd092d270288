//! Tests of combined ids: their format, their length and their cost.

use std::collections::BTreeMap;

use super::name_hash::name_hash;
use super::*;
use crate::sse::{Epoch, EventId, write_id};

/// A time in 2026, in milliseconds since 1970.
pub(super) const NOW: u64 = 1_795_354_163_077;

/// A day in milliseconds.
pub(super) const DAY: u64 = 24 * 60 * 60 * 1_000;

fn id(began: u64, seq: u64) -> EventId {
    EventId {
        epoch: Epoch::new(began, (began % 2_097_143) as u32),
        seq,
    }
}

/// Writes the id of an event of `channel`, and returns the id without `id: ` and LF.
pub(super) fn written(positions: &mut Positions, channel: ChannelIndex, id: EventId) -> String {
    let mut line = Vec::new();
    positions.write_id_line(channel, id, &mut line);
    let line = String::from_utf8(line).unwrap();
    let id = line
        .strip_prefix("id: ")
        .and_then(|id| id.strip_suffix('\n'));
    id.unwrap().to_owned()
}

/// Returns the index of each channel, in the order of the list.
pub(super) fn indices(positions: &Positions) -> Vec<ChannelIndex> {
    positions.channels().map(|(channel, _)| channel).collect()
}

#[test]
fn the_format_of_combined_ids_has_not_changed() {
    let mut positions = Positions::new(["foo", "bar", "user.42"]).unwrap();
    let all = indices(&positions);
    positions.set(all[1], id(NOW - DAY, 1_234));
    let text = written(&mut positions, all[0], id(NOW, 5));
    assert_eq!(
        text,
        "foo/38G3E9VRAG24W-5;ASDYIaIDcneFrCaAAAAEBE40LfSZcAA1ZWAF0gkYNR_q"
    );
    let parsed: CombinedId = text.parse().unwrap();
    assert_eq!(parsed.position("foo"), Some(id(NOW, 5)));
    assert_eq!(parsed.position("bar"), Some(id(NOW - DAY, 1_234)));
    assert_eq!(parsed.position("user.42"), None);
}

#[test]
fn two_names_with_the_same_first_bits_of_their_hashes_keep_their_own_positions() {
    let mut first_with = BTreeMap::new();
    let (one, other) = (0..)
        .find_map(|number| {
            let name = format!("room.{number}");
            let bits = name_hash(&name) >> (128 - 17);
            let first = first_with.insert(bits, name.clone());
            first.map(|first| (first, name))
        })
        .unwrap();
    for list in [[&*one, "foo", &*other], [&*other, &*one, "foo"]] {
        let mut positions = Positions::new(list).unwrap();
        let mut last = String::new();
        for (seq, channel) in indices(&positions).into_iter().enumerate() {
            last = written(&mut positions, channel, id(NOW, seq as u64));
        }
        let parsed: CombinedId = last.parse().unwrap();
        for (seq, name) in list.iter().enumerate() {
            assert_eq!(parsed.position(name), Some(id(NOW, seq as u64)), "{name}");
        }
    }
}

#[test]
fn a_list_with_a_channel_twice_or_with_too_many_channels_is_refused() {
    let refusal = |list: &[&str]| Positions::new(list.iter().copied()).err();
    let repeated = ChannelListError::Repeated("bar".into());
    assert_eq!(refusal(&["bar", "foo", "bar"]), Some(repeated));
    assert_eq!(refusal(&["bar", "foo", "Bar"]), None);
    let names: Vec<String> = (0..=MAX_CHANNELS)
        .map(|number| number.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(refusal(&names[..MAX_CHANNELS]), None);
    assert_eq!(refusal(&names), Some(ChannelListError::TooMany));
    let endless = Positions::new(std::iter::repeat("foo"));
    assert_eq!(endless.err(), Some(ChannelListError::TooMany));
}

/// Returns how many characters the combined id of an event of a stream of `count` channels is longer than its id. The
/// epochs began in the last `days` days.
fn added_chars(count: usize, days: u64, seqs: std::ops::Range<u64>) -> usize {
    let names: Vec<String> = (0..count).map(|number| format!("user.{number}")).collect();
    let mut positions = Positions::new(names.iter().map(String::as_str)).unwrap();
    let all = indices(&positions);
    let mut last = String::new();
    let (mut plain, steps) = (String::new(), count as u64);
    for (step, channel) in (1..).zip(all) {
        let began = NOW - days * DAY * step / steps;
        let seq = seqs.start + (seqs.end - 1 - seqs.start) * step / steps;
        plain.clear();
        write_id(&mut plain, id(began, seq));
        last = written(&mut positions, channel, id(began, seq));
    }
    ("id: ".len() + last.len() + 1) - plain.len()
}

#[test]
fn a_combined_id_of_20_channels_of_ordinary_age_adds_at_most_300_characters() {
    for (count, days, seqs) in [
        (2, 7, 1_000..10_000),
        (3, 7, 1_000..10_000),
        (20, 0, 0..100),
        (20, 1, 1_000..10_000),
        (20, 7, 1_000..10_000),
        (20, 365, 1_000..10_000),
        (20, 365, 1_000_000..10_000_000),
        (100, 7, 1_000..10_000),
    ] {
        let added = added_chars(count, days, seqs.clone());
        println!("{count} channels, {days} days, seq {seqs:?}: {added} characters added");
        if count <= 20 && days <= 7 {
            assert!(added <= 300, "{added}");
        }
    }
}

#[test]
#[ignore = "measures time: run it with --release and --nocapture"]
fn the_cost_of_an_id_line() {
    for count in [2, 20, 100] {
        let names: Vec<String> = (0..count).map(|number| format!("user.{number}")).collect();
        let mut positions = Positions::new(names.iter().map(String::as_str)).unwrap();
        let all = indices(&positions);
        for (channel, began) in all.iter().zip(1..) {
            positions.set(*channel, id(NOW - began * DAY / 3, 1_000));
        }
        let mut out = Vec::new();
        let began = std::time::Instant::now();
        let rounds = 1_000_000_u32;
        for (seq, channel) in (0..u64::from(rounds)).zip(all.iter().cycle()) {
            let previous = positions.get(*channel).unwrap();
            out.clear();
            positions.write_id_line(*channel, EventId { seq, ..previous }, &mut out);
        }
        println!(
            "{count} channels: {:?} an id line",
            began.elapsed() / rounds
        );
        let text = String::from_utf8(out[4..out.len() - 1].to_vec()).unwrap();
        let began = std::time::Instant::now();
        for _ in 0..10_000 {
            let id: CombinedId = std::hint::black_box(&text).parse().unwrap();
            std::hint::black_box(Positions::resume(
                names.iter().map(String::as_str),
                |name| id.position(name),
            ))
            .unwrap();
        }
        println!("{count} channels: {:?} a resume", began.elapsed() / 10_000);
    }
}
