//! Property tests of combined ids: their damage, and lists that change.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::encoding::{checksum, write_base64};
use super::name_hash::{HashBits, name_hash};
use super::tests::{DAY, NOW, indices, written};
use super::*;
use crate::sse::{Epoch, EventId, UnknownId};
use proptest_support::{check, edited, number_near, text};

/// The names of the channels of the properties. No two have the same first bits of a hash.
fn names() -> Vec<String> {
    let mut names: Vec<String> = (0..100).map(|number| format!("user.{number}")).collect();
    names.extend(["foo", "a:b~c@d-1", ".x"].map(String::from));
    names.push("x".repeat(128));
    names
}

fn event_ids() -> impl Strategy<Value = EventId> + Clone {
    let began = prop_oneof![
        3 => NOW - 30 * DAY..NOW,
        1 => number_near(&[0, NOW, (1 << 44) - 1]),
    ];
    let seq = prop_oneof![
        3 => 0..10_000_u64,
        1 => number_near(&[0, 127, 128, 1 << 32, u64::MAX]),
    ];
    (began, any::<u32>(), seq).prop_map(|(began, random, seq)| EventId {
        epoch: Epoch::new(began, random),
        seq,
    })
}

/// Makes the ids of streams of several channels.
fn combined_ids() -> impl Strategy<Value = String> + Clone {
    let channels = subsequence(names(), 1..=20).prop_shuffle();
    let ids = prop::collection::vec(prop::option::of(event_ids()), 20);
    (channels, ids, event_ids(), any::<Index>()).prop_map(|(channels, ids, event, at)| {
        let mut positions = Positions::new(channels.iter().map(String::as_str)).unwrap();
        let indices = indices(&positions);
        for (channel, id) in indices.iter().zip(ids) {
            if let Some(id) = id {
                positions.set(*channel, id);
            }
        }
        written(&mut positions, *at.get(&indices), event)
    })
}

#[test]
fn every_id_of_a_stream_holds_the_positions_of_all_its_channels() {
    let classes = [
        "one channel",
        "more than 20 channels",
        "an unknown position",
        "a new epoch",
        "the same epoch",
    ];
    let events = prop::collection::vec((any::<Index>(), event_ids(), any::<bool>()), 1..40);
    let cases = (
        subsequence(names(), 1..=MAX_CHANNELS).prop_shuffle(),
        events,
    );
    check(&classes, cases, |(channels, events), seen| {
        let mut positions = Positions::new(channels.iter().map(String::as_str)).unwrap();
        let indices = indices(&positions);
        let mut expected = BTreeMap::new();
        for (at, new_id, keep_epoch) in events {
            let (index, name) = (*at.get(&indices), at.get(&channels));
            let previous: Option<EventId> = expected.get(name).copied();
            let event = match previous {
                Some(previous) if keep_epoch => EventId {
                    seq: new_id.seq,
                    ..previous
                },
                _ => new_id,
            };
            seen.note_if(previous.is_some() && !keep_epoch, "a new epoch");
            seen.note_if(previous.is_some() && keep_epoch, "the same epoch");
            expected.insert(name.clone(), event);

            let id = written(&mut positions, index, event);
            let start = format!("{name}/{event};");
            prop_assert!(id.starts_with(&start), "{id}");
            let unreserved = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            prop_assert!(id[start.len()..].chars().all(unreserved), "{id}");
            let parsed: CombinedId = id.parse().unwrap();
            let resumed = Positions::resume(channels.iter().map(String::as_str), |name| {
                parsed.position(name)
            });
            let resumed = resumed.unwrap();
            for (channel, name) in positions.channels() {
                prop_assert_eq!(parsed.position(name), expected.get(name).copied());
                prop_assert_eq!(positions.get(channel), expected.get(name).copied());
                prop_assert_eq!(resumed.get(channel), expected.get(name).copied());
            }
        }
        seen.note_if(channels.len() == 1, "one channel");
        seen.note_if(channels.len() > 20, "more than 20 channels");
        seen.note_if(expected.len() < channels.len(), "an unknown position");
        Ok(())
    });
}

#[test]
fn a_stream_of_another_list_resumes_the_channels_that_it_kept() {
    let pool = names();
    let mut hashes: Vec<_> = pool.iter().map(|name| name_hash(name)).collect();
    hashes.sort();
    let shortest = HashBits::that_distinguish(&hashes[..1]);
    assert_eq!(HashBits::that_distinguish(&hashes), shortest);
    let classes = [
        "a channel was added",
        "a channel was removed",
        "a channel was kept",
    ];
    let list = subsequence(pool, 1..=30).prop_shuffle();
    let cases = (list.clone(), list, prop::collection::vec(event_ids(), 30));
    check(&classes, cases, |(before, after, ids), seen| {
        let mut positions = Positions::new(before.iter().map(String::as_str)).unwrap();
        let mut last = String::new();
        for (channel, id) in indices(&positions).into_iter().zip(&ids) {
            last = written(&mut positions, channel, *id);
        }
        let last: CombinedId = last.parse().unwrap();
        let after_positions =
            Positions::resume(after.iter().map(String::as_str), |name| last.position(name))
                .unwrap();
        for (channel, name) in after_positions.channels() {
            let place = before.iter().position(|other| other == name);
            prop_assert_eq!(after_positions.get(channel), place.map(|place| ids[place]));
            seen.note(match place {
                Some(_) => "a channel was kept",
                None => "a channel was added",
            });
        }
        let removed = before.iter().any(|name| !after.contains(name));
        seen.note_if(removed, "a channel was removed");
        Ok(())
    });
}

#[test]
fn a_combined_id_that_was_changed_anywhere_is_unknown() {
    let pieces = &["A", "-", "_", "=", ";", "/", "0", "%3B", " ", "\0", "é"];
    let classes = ["unchanged", "changed"];
    let cases = combined_ids().prop_flat_map(|id| (Just(id.clone()), edited(Just(id), pieces)));
    check(&classes, cases, |(id, edited), seen| {
        let unchanged = id == edited;
        seen.note(if unchanged { "unchanged" } else { "changed" });
        prop_assert_eq!(edited.parse::<CombinedId>().is_ok(), unchanged);
        Ok(())
    });
}

#[test]
fn a_combined_id_that_was_cut_or_joined_to_another_is_unknown() {
    let classes = ["cut", "joined"];
    let cases = (combined_ids(), combined_ids(), any::<Index>());
    check(&classes, cases, |(id, other, at), seen| {
        let at = at.index(id.len());
        for cut in [&id[..at], &id[id.len() - at..]] {
            prop_assert_eq!(cut.parse::<CombinedId>(), Err(UnknownId));
        }
        seen.note("cut");
        let joined = id.split_once(';').unwrap().0.to_owned() + &other[other.find(';').unwrap()..];
        if joined != other {
            prop_assert_eq!(joined.parse::<CombinedId>(), Err(UnknownId));
            seen.note("joined");
        }
        Ok(())
    });
}

#[test]
fn texts_that_are_no_combined_ids_are_unknown() {
    let pieces = &[
        "foo",
        "/",
        ";",
        "0000000120000-5",
        "AQ",
        "AbC",
        "-",
        "_",
        "=",
        ",",
    ];
    check(&["with a semicolon"], text(pieces, 12), |text, seen| {
        seen.note_if(text.contains(';'), "with a semicolon");
        prop_assert_eq!(text.parse::<CombinedId>(), Err(UnknownId));
        Ok(())
    });
    let long = format!("foo/0000000120000-5;{}", "A".repeat(1 << 20));
    assert_eq!(long.parse::<CombinedId>(), Err(UnknownId));
}

#[test]
fn any_bytes_with_the_right_checksum_are_read_or_refused() {
    // The format, 17 bits of a hash, 3 bits of an age, the number of channels, and when the newest epoch began.
    let header = |count: u8| vec![1, 16 << 1, 3 << 3 | count >> 4, count << 4, 0, 0, 0, 0, 9];
    let headers = prop_oneof![
        2 => (0..3_u8).prop_map(header),
        1 => any::<u8>().prop_map(header),
        1 => Just(vec![1]),
        1 => Just(vec![]),
    ];
    let more = prop_oneof![0..20_usize, 0..300_usize];
    let more = more.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
    let cases = (headers, more);
    check(&["refused", "read"], cases, |(mut bytes, more), seen| {
        bytes.extend(more);
        let mut sum = checksum();
        sum.update(&bytes);
        sum.update(b"foo/0000000120000-5");
        bytes.extend(sum.finalize().to_be_bytes());
        let mut id = "foo/0000000120000-5;".to_owned();
        write_base64(&mut id, &bytes);
        let read = id.parse::<CombinedId>().is_ok();
        seen.note(if read { "read" } else { "refused" });
        Ok(())
    });
}
