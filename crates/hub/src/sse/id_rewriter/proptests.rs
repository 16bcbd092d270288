//! Tests of the rewriting of ids, with frames that are cut anywhere.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::sse::{
    Epoch, HEARTBEAT, Missing, Notice, open_notice, retry_field, with_id, write_event, write_id,
};
use proptest_support::{check, text};

const PIECES: &[&str] = &[
    "id: 0000000120000-5",
    "\n",
    "id: ",
    "i",
    "x",
    ": ",
    "é",
    "\r",
    "data: ",
];

const NAMES: [&str; 3] = ["foo", "user.42", "id:~x"];

fn id(epoch: u64, seq: u64) -> EventId {
    EventId {
        epoch: Epoch::new(1_795_354_163_077 + epoch, 7),
        seq,
    }
}

fn event(event_type: &str, data: &str, id: EventId) -> String {
    let (mut event, mut id_line) = (String::new(), String::new());
    write_event(&mut event, event_type, data);
    write_id(&mut id_line, id);
    with_id(&event, &id_line).concat()
}

/// Makes one part of a feed of `channel`: an event, a notice or what stands between them.
fn part(channel: &'static str) -> impl Strategy<Value = String> {
    let ids = (0..3_u64, prop_oneof![0..20_u64, Just(u64::MAX)]);
    let ids = ids.prop_map(|(epoch, seq)| id(epoch, seq));
    let event_type = prop_oneof![Just(""), Just("score"), Just("id: 7")];
    let events = (event_type, text(PIECES, 8), ids.clone())
        .prop_map(|(event_type, data, id)| event(event_type, &data, id));
    let notices = ids.prop_map(move |id| {
        let missing = Missing::between(id.epoch, 1, id.seq);
        open_notice(channel, id) + &Notice::Dropped.encode(channel, &missing)
    });
    let between = prop_oneof![
        Just(String::from_utf8(HEARTBEAT.to_vec()).unwrap()),
        Just(retry_field(3_000)),
    ];
    prop_oneof![4 => events, 1 => notices, 1 => between]
}

/// Makes the bytes of a feed in frames.
fn frames(channel: &'static str) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let parts = prop::collection::vec(part(channel), 1..8);
    let cuts = prop_oneof![
        prop::collection::vec(any::<Index>(), 0..12).prop_map(Some),
        // A frame for each byte.
        Just(None),
    ];
    (parts, cuts).prop_map(|(parts, cuts)| {
        let bytes = parts.concat().into_bytes();
        let mut cuts: Vec<usize> = match cuts {
            Some(cuts) => cuts.iter().map(|cut| cut.index(bytes.len())).collect(),
            None => (1..bytes.len()).collect(),
        };
        cuts.sort();
        let starts = [0].into_iter().chain(cuts.clone());
        let ends = cuts.into_iter().chain([bytes.len()]);
        let ranges = starts.zip(ends);
        ranges
            .map(|(start, end)| bytes[start..end].to_vec())
            .collect()
    })
}

/// The positions after the whole lines of some feeds, and the bytes for the client.
#[derive(Default)]
struct Naive {
    last: BTreeMap<&'static str, EventId>,
    out: Vec<u8>,
}

impl Naive {
    /// Rewrites whole lines of the feed of `channel`, one after the other, each with new positions.
    fn push(&mut self, channel: &'static str, lines: &str) {
        for line in lines.split_inclusive('\n') {
            let Some(id) = line.strip_prefix("id: ") else {
                self.out.extend(line.as_bytes());
                continue;
            };
            let id = id.trim_end_matches('\n').parse().unwrap();
            self.last.insert(channel, id);
            let mut positions = Positions::new(NAMES).unwrap();
            let mut written = None;
            for index in indices(&positions) {
                let (_, name) = positions
                    .channels()
                    .find(|(other, _)| *other == index)
                    .unwrap();
                let name: &str = NAMES.into_iter().find(|other| *other == name).unwrap();
                if let Some(id) = self.last.get(name) {
                    positions.set(index, *id);
                }
                written = written.or((name == channel).then_some(index));
            }
            positions.write_id_line(written.unwrap(), id, &mut self.out);
        }
    }
}

fn indices(positions: &Positions) -> Vec<ChannelIndex> {
    positions.channels().map(|(index, _)| index).collect()
}

/// Whether `bytes`, the start of a feed, end in a line or in a block with a line of an event.
fn ends_in_block(bytes: &[u8]) -> bool {
    let block = bytes.windows(2).rposition(|pair| pair == b"\n\n");
    let block = String::from_utf8_lossy(&bytes[block.map_or(0, |at| at + 2)..]);
    let mut lines = block.split_inclusive('\n');
    lines.any(|line| !line.ends_with('\n') || !line.starts_with([':', 'r']))
}

#[test]
fn the_ids_of_several_feeds_become_combined_ids_however_the_frames_are_cut() {
    let classes = [
        "in a block",
        "in an id line",
        "in a comment",
        "between events",
        "a frame for a byte",
    ];
    let feeds = NAMES.map(frames);
    let cases = (feeds, prop::collection::vec(0..NAMES.len(), 1..30));
    check(&classes, cases, |(feeds, turns), seen| {
        let mut positions = Positions::new(NAMES).unwrap();
        let mut rewriters: Vec<_> = indices(&positions)
            .into_iter()
            .map(IdRewriter::new)
            .collect();
        let mut feeds = feeds.map(Vec::into_iter);
        let mut taken = NAMES.map(|_| Vec::new());
        let mut unwritten = NAMES.map(|_| Vec::new());
        let (mut out, mut naive) = (Vec::new(), Naive::default());
        let mut turns = turns.into_iter().cycle();
        let mut turn = turns.next().unwrap();
        while feeds.iter().any(|feed| !feed.as_slice().is_empty()) {
            if let Some(frame) = feeds[turn].next() {
                let rewriter = &mut rewriters[turn];
                rewriter.push(&frame, &mut positions, &mut out).unwrap();
                seen.note_if(frame.len() == 1, "a frame for a byte");
                taken[turn].extend(&frame);
                unwritten[turn].extend(&frame);
                let in_block = ends_in_block(&taken[turn]);
                prop_assert_eq!(rewriter.is_in_block(), in_block);
                prop_assert!(rewriter.held.len() < MAX_ID_LINE);

                // The naive rewriting gets whole lines, and the rest of the last line unless it may be an id.
                let rest = unwritten[turn]
                    .rsplit(|byte| *byte == b'\n')
                    .next()
                    .unwrap();
                let rest = rest.to_vec();
                let lines = unwritten[turn].len() - rest.len();
                naive.push(
                    NAMES[turn],
                    str::from_utf8(&unwritten[turn][..lines]).unwrap(),
                );
                unwritten[turn].drain(..lines);
                let held = rest.starts_with(b"i");
                let mut expected = naive.out.clone();
                if !held {
                    expected.extend(&rest);
                }
                prop_assert_eq!(&out, &expected);
                for (index, name) in positions.channels() {
                    prop_assert_eq!(positions.get(index), naive.last.get(name).copied());
                }
                seen.note_if(held, "in an id line");
                seen.note_if(rest.starts_with(b":"), "in a comment");
                seen.note(if in_block {
                    "in a block"
                } else {
                    "between events"
                });
            }
            // Another feed may only follow between two events.
            if !rewriters[turn].is_in_block() || feeds[turn].as_slice().is_empty() {
                turn = turns.next().unwrap();
                if feeds[turn].as_slice().is_empty() {
                    turn = feeds
                        .iter()
                        .position(|feed| !feed.as_slice().is_empty())
                        .unwrap_or(0);
                }
            }
        }
        prop_assert_eq!(out, naive.out);
        Ok(())
    });
}

#[test]
fn lines_that_only_look_like_ids_pass_unchanged() {
    let feed = "retry: 3000\n:\nevent: id: 7\ndata: id: 7\ndata: i\n\n: id: 7\n\ndata: \n\n";
    let mut positions = Positions::new(NAMES).unwrap();
    let index = indices(&positions)[0];
    let mut out = Vec::new();
    let pushed = IdRewriter::new(index).push(feed.as_bytes(), &mut positions, &mut out);
    assert_eq!((pushed, str::from_utf8(&out)), (Ok(()), Ok(feed)));
    assert_eq!(positions.get(index), None);
}

#[test]
fn an_id_line_without_an_id_of_an_event_is_refused_however_it_is_cut() {
    let endless = "i".repeat(2 * MAX_ID_LINE);
    let longer = format!("id: 0000000120000-{}5\n", "0".repeat(30));
    for line in [
        "id: \n",
        "id\n",
        "id:0000000120000-5\n",
        "id: foo/0000000120000-5;AQ\n",
        "id: \u{e9}\n",
        &endless,
        &longer,
    ] {
        let feed = format!("data: x\n{line}");
        for length in 1..feed.len() {
            let mut positions = Positions::new(NAMES).unwrap();
            let index = indices(&positions)[0];
            let mut rewriter = IdRewriter::new(index);
            let mut out = Vec::new();
            let mut frames = feed.as_bytes().chunks(length);
            let pushed =
                frames.try_for_each(|frame| rewriter.push(frame, &mut positions, &mut out));
            assert_eq!(pushed, Err(UnknownId), "{line:?}");
            assert_eq!(str::from_utf8(&out), Ok("data: x\n"), "{line:?}");
            assert!(rewriter.held.len() <= MAX_ID_LINE);
            assert_eq!(positions.get(index), None);
        }
    }
}

#[test]
#[ignore = "measures time: run it with --release and --nocapture"]
fn the_cost_of_rewriting_ids() {
    for (data, events) in [
        ("foo=bar", 1_000),
        (&*"x".repeat(1_000), 60),
        (&*"x\n".repeat(8_000), 1),
    ] {
        let names: Vec<String> = (0..20).map(|number| format!("user.{number}")).collect();
        let mut positions = Positions::new(names.iter().map(String::as_str)).unwrap();
        let all = indices(&positions);
        for (channel, epoch) in all.iter().zip(0..) {
            positions.set(*channel, id(epoch * 1_000, 1_000));
        }
        let mut rewriter = IdRewriter::new(all[0]);
        let feed: Vec<String> = (0..events)
            .map(|seq| event("score", data, id(0, seq)))
            .collect();
        let feed = feed.concat();
        let (began, rounds) = (std::time::Instant::now(), 1_000);
        let mut out = Vec::new();
        for _ in 0..rounds {
            out.clear();
            rewriter
                .push(feed.as_bytes(), &mut positions, &mut out)
                .unwrap();
        }
        let (time, bytes) = (began.elapsed() / rounds, feed.len());
        println!(
            "{events} events of {} bytes: {time:?} for {bytes} bytes, {:?} an event",
            data.len(),
            time / events as u32
        );
    }
}
