//! Streams of several channels: which channels a stream has, and the check of their combined ids.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::event::{Event, number};
use crate::options::Options;

/// What stands for the number of a channel in a URL.
const PLACEHOLDER: &str = "{channel}";

/// The channels of the stream with the number `stream`. Each stream begins with the channel that follows the first
/// channel of the stream before it.
pub fn channels_of(options: &Options, stream: usize) -> impl Iterator<Item = usize> {
    let channels = options.channels;
    (0..options.channels_per_stream).map(move |step| (stream + step) % channels)
}

/// Whether the stream with the number `stream` has the channel with the number `channel`.
pub fn has_channel(options: &Options, stream: usize, channel: usize) -> bool {
    let channels = options.channels;
    (channel + channels - stream % channels) % channels < options.channels_per_stream
}

/// The URL of a stream of `channels`: the last segment of the path of `template` once for each channel, with commas
/// between them.
pub fn list_url(template: &str, channels: impl Iterator<Item = usize>) -> Result<String> {
    let (before, segment) = template
        .rsplit_once('/')
        .context("--subscribe has no path")?;
    let list: Vec<_> = channels
        .map(|channel| segment.replace(PLACEHOLDER, &channel.to_string()))
        .collect();
    Ok(format!("{before}/{}", list.join(",")))
}

/// The numbers of all channels by their ids.
pub type Names = Arc<HashMap<Vec<u8>, usize>>;

/// The ids of all channels, which are the last segment of the path of `--subscribe`.
pub fn names(options: &Options) -> Names {
    let segment = options.subscribe.rsplit('/').next().unwrap_or_default();
    let named = (0..options.channels)
        .map(|channel| (segment.replace(PLACEHOLDER, &channel.to_string()), channel));
    Arc::new(
        named
            .map(|(name, channel)| (name.into(), channel))
            .collect(),
    )
}

/// Checks the ids of a stream of several channels. Within each channel, the events have ids without a hole.
#[derive(Clone, Debug)]
pub struct CombinedIds {
    names: Names,
    /// The epoch and the seq of the last id of each channel.
    last: HashMap<usize, (Vec<u8>, u64)>,
}

impl CombinedIds {
    /// A check of a stream that has received nothing.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            last: HashMap::new(),
        }
    }

    /// Notes an id of the stream, and the event of the load in the same block, if there is one. Returns false if it is
    /// not the id that the event has to have: that of the event's channel, one after the previous id of this channel.
    /// The channel of an event is that of its publisher.
    pub fn is_next(&mut self, id: &[u8], event: Option<Event>) -> bool {
        let Some((channel, epoch, seq)) = self.read(id) else {
            return false;
        };
        let before = self.last.insert(channel, (epoch.to_vec(), seq));
        let Some(event) = event else {
            return true;
        };
        let follows = before.is_some_and(|(before, last)| before == epoch && seq == last + 1);
        follows && channel == event.publisher % self.names.len()
    }

    /// Splits `<channel>/<epoch>-<seq>;<positions>`. Returns the number of the channel, the epoch and the seq.
    fn read<'id>(&self, id: &'id [u8]) -> Option<(usize, &'id [u8], u64)> {
        let (event, _positions) = split_at(id, b';')?;
        let (channel, event) = split_at(event, b'/')?;
        let (epoch, seq) = split_at(event, b'-')?;
        Some((*self.names.get(channel)?, epoch, number(seq)?))
    }
}

fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    fn options(channels: usize, channels_per_stream: usize) -> Options {
        let channels = channels.to_string();
        let each = channels_per_stream.to_string();
        Options::parse_from([
            "sse-load",
            "--subscribe=http://127.0.0.1:1/channels/foo-{channel}",
            "--publish=http://127.0.0.1:1/channels/foo-{channel}/broadcast",
            &format!("--channels={channels}"),
            &format!("--channels-per-stream={each}"),
        ])
    }

    #[test]
    fn a_stream_has_the_channels_that_its_url_lists() {
        let options = options(5, 3);
        for stream in 0..12 {
            let listed: Vec<_> = channels_of(&options, stream).collect();
            let found = (0..5).filter(|channel| has_channel(&options, stream, *channel));
            let mut sorted = listed.clone();
            sorted.sort_unstable();
            assert_eq!(found.collect::<Vec<_>>(), sorted, "stream {stream}");
        }
        let url = list_url(&options.subscribe, channels_of(&options, 4)).unwrap();
        assert_eq!(url, "http://127.0.0.1:1/channels/foo-4,foo-0,foo-1");
    }

    #[test]
    fn a_stream_of_one_channel_has_the_channel_of_its_number() {
        let options = options(3, 1);
        let url = list_url(&options.subscribe, channels_of(&options, 4)).unwrap();
        assert_eq!(url, "http://127.0.0.1:1/channels/foo-1");
        assert!(has_channel(&options, 4, 1) && !has_channel(&options, 4, 2));
    }

    /// Whether the last of some ids is right. Ids with `None` are of notices, the others of events of that publisher.
    fn is_right(ids: &[(&str, Option<usize>)]) -> bool {
        let mut check = CombinedIds::new(names(&options(2, 2)));
        let mut right = false;
        for (id, publisher) in ids {
            let event = publisher.map(|publisher| Event {
                publisher,
                number: 0,
                at: Duration::ZERO,
            });
            right = check.is_next(id.as_bytes(), event);
        }
        right
    }

    #[test]
    fn each_channel_of_a_stream_has_its_own_dense_ids() {
        let opened = [("foo-0/7-100;A", None), ("foo-1/8-3;A", None)];
        let then = |more: &[(&str, Option<usize>)]| is_right(&[&opened[..], more].concat());
        assert!(then(&[("foo-0/7-101;A", Some(0))]));
        assert!(then(&[
            ("foo-0/7-101;A", Some(0)),
            ("foo-1/8-4;A", Some(3))
        ]));
        for wrong in [
            "foo-0/7-100;A",
            "foo-0/7-102;A",
            "foo-0/9-101;A",
            "foo-1/8-4;A",
            "foo-2/7-101;A",
            "foo-0/7-101",
            "7-101;A",
            "foo-0/7-x;A",
        ] {
            assert!(!then(&[(wrong, Some(0))]), "{wrong}");
        }
        assert!(!then(&[("7-101", None)]), "a notice has a combined id, too");
    }
}
