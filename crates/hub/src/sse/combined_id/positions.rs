//! The positions of an open stream.

use std::fmt;
use std::io::Write as _;

use super::MAX_CHANNELS;
use super::encoding::{self, Checksum};
use super::name_hash::{HashBits, NameHash, name_hash};
use crate::sse::EventId;

/// The list of channels cannot be that of a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelListError {
    /// The list has too many channels.
    #[error("a stream can have at most {MAX_CHANNELS} channels: name fewer")]
    TooMany,
    /// A channel is on the list twice.
    #[error("the channel {0:?} is named twice: name each channel once")]
    Repeated(String),
}

/// A channel of the [`Positions`] that returned this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelIndex(usize);

/// The positions of a stream in its channels.
#[derive(Clone)]
pub struct Positions {
    /// In the order of the list.
    channels: Vec<Channel>,
    /// The places of the channels in `channels`, in ascending order of their name hashes.
    by_hash: Vec<usize>,
    hash_bits: HashBits,
    /// The part of the encoded positions that only changes with an epoch. It is made when an id is written.
    epochs: Option<EncodedEpochs>,
    /// Space for the bytes that change with each event, which is reused.
    tail: Vec<u8>,
}

#[derive(Clone)]
struct Channel {
    name: Box<str>,
    hash: NameHash,
    /// The id after which the stream continues.
    position: Option<EventId>,
    /// `id: <channel>/<epoch>-`, for the epoch of `position`.
    id_line_start: String,
}

#[derive(Clone)]
struct EncodedEpochs {
    /// The epochs in base64url, without `rest`. Behind them are the other characters of the positions that were written
    /// last.
    text: String,
    /// The length of the epochs in `text`.
    length: usize,
    /// The checksum of the epochs in `text`.
    checksum: Checksum,
    /// The last bytes of the epochs, up to 2. They share characters with the seqs.
    rest: Vec<u8>,
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.channels.iter();
        let positions = channels.map(|channel| (&channel.name, &channel.position));
        f.debug_map().entries(positions).finish()
    }
}

impl Positions {
    /// Makes the positions of a stream of `channels`, which are all unknown.
    ///
    /// # Errors
    ///
    /// The list has more than [`MAX_CHANNELS`] channels, or one twice.
    pub fn new<'a>(channels: impl IntoIterator<Item = &'a str>) -> Result<Self, ChannelListError> {
        // The list is cut, so that the work for one that is too long has a bound.
        let most = MAX_CHANNELS.saturating_add(1);
        let channels: Vec<Channel> = channels.into_iter().take(most).map(Channel::new).collect();
        if channels.len() > MAX_CHANNELS {
            return Err(ChannelListError::TooMany);
        }
        let mut sorted: Vec<(usize, &Channel)> = channels.iter().enumerate().collect();
        sorted.sort_by_key(|(_, channel)| channel.hash);
        let by_hash = sorted.iter().map(|(place, _)| *place).collect();
        let hashes: Vec<NameHash> = sorted.iter().map(|(_, channel)| channel.hash).collect();
        let Some(hash_bits) = HashBits::that_distinguish(&hashes) else {
            return Err(ChannelListError::Repeated(repeated_name(&sorted)));
        };
        Ok(Self {
            channels,
            by_hash,
            hash_bits,
            epochs: None,
            tail: Vec::new(),
        })
    }

    /// Makes the positions of a stream of `channels` that continues after `position`, which returns the position in the
    /// channel of a name, if it is known.
    ///
    /// # Errors
    ///
    /// As [`Positions::new`].
    pub fn resume<'a>(
        channels: impl IntoIterator<Item = &'a str>,
        position: impl Fn(&str) -> Option<EventId>,
    ) -> Result<Self, ChannelListError> {
        let mut positions = Self::new(channels)?;
        for channel in &mut positions.channels {
            if let Some(position) = position(&channel.name) {
                channel.set(position);
            }
        }
        Ok(positions)
    }

    /// Iterates over the channels, in the order of the list.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelIndex, &str)> {
        let channels = self.channels.iter().enumerate();
        channels.map(|(place, channel)| (ChannelIndex(place), &*channel.name))
    }

    /// Returns the id after which the stream continues in `channel`, if it is known.
    pub fn get(&self, channel: ChannelIndex) -> Option<EventId> {
        self.channels.get(channel.0)?.position
    }

    /// Sets the id after which the stream continues in `channel`.
    pub fn set(&mut self, channel: ChannelIndex, id: EventId) {
        let channel = self.channels.get_mut(channel.0);
        debug_assert!(channel.is_some(), "the index is one of these positions");
        if channel.is_some_and(|channel| channel.set(id)) {
            self.epochs = None;
        }
    }

    /// Sets the id after which the stream continues in `channel`, and appends the line of the combined id of the event
    /// `id`: `id: <channel>/<epoch>-<seq>;<positions>` and LF.
    pub fn write_id_line(&mut self, channel: ChannelIndex, id: EventId, out: &mut Vec<u8>) {
        self.set(channel, id);
        let Some(Channel { id_line_start, .. }) = self.channels.get(channel.0) else {
            return;
        };
        let start = out.len().saturating_add("id: ".len());
        out.extend_from_slice(id_line_start.as_bytes());
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{}", id.seq);
        let positions = self.encode(out.get(start..).unwrap_or_default());
        out.reserve(positions.len().saturating_add(2));
        out.push(b';');
        out.extend_from_slice(positions.as_bytes());
        out.push(b'\n');
    }

    /// Encodes the positions behind `event`, the part of the id before the semicolon.
    fn encode(&mut self, event: &[u8]) -> &str {
        let Self {
            channels,
            by_hash,
            hash_bits,
            epochs,
            tail,
        } = self;
        let by_hash = by_hash.iter().filter_map(|place| channels.get(*place));
        let known = by_hash.filter_map(|channel| Some((channel.hash, channel.position?)));
        let epochs = epochs.get_or_insert_with(|| {
            let epochs: Vec<_> = known.clone().map(|(hash, id)| (hash, id.epoch)).collect();
            EncodedEpochs::new(&encoding::encode_epochs(*hash_bits, &epochs))
        });
        tail.clear();
        tail.extend_from_slice(&epochs.rest);
        for (_, id) in known {
            encoding::write_seq(tail, id.seq);
        }
        let mut checksum = epochs.checksum.clone();
        checksum.update(tail);
        checksum.update(event);
        tail.extend_from_slice(&checksum.finalize().to_be_bytes());
        epochs.text.truncate(epochs.length);
        encoding::write_base64(&mut epochs.text, tail);
        &epochs.text
    }
}

impl EncodedEpochs {
    fn new(bytes: &[u8]) -> Self {
        // 3 bytes are 4 characters.
        let (groups, rest) = bytes.as_chunks::<3>();
        let mut checksum = encoding::checksum();
        checksum.update(groups.as_flattened());
        let mut text = String::new();
        encoding::write_base64(&mut text, groups.as_flattened());
        Self {
            length: text.len(),
            text,
            checksum,
            rest: rest.to_vec(),
        }
    }
}

impl Channel {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            hash: name_hash(name),
            position: None,
            id_line_start: String::new(),
        }
    }

    /// Sets the position, and returns whether its epoch has changed.
    fn set(&mut self, id: EventId) -> bool {
        let previous = self.position.replace(id);
        let changed = previous.is_none_or(|previous| previous.epoch != id.epoch);
        if changed {
            self.id_line_start = format!("id: {}/{}-", self.name, id.epoch);
        }
        changed
    }
}

fn repeated_name(sorted: &[(usize, &Channel)]) -> String {
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    let mut repeated = pairs.filter(|((_, one), (_, next))| one.hash == next.hash);
    repeated
        .next()
        .map(|((_, channel), _)| channel.name.to_string())
        .unwrap_or_default()
}
