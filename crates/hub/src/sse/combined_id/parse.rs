//! Reading the id that a client sends.

use std::str::FromStr;

use super::encoding;
use super::name_hash::{HashBits, NameHash, name_hash};
use crate::sse::{EventId, UnknownId};

/// An id of a stream of several channels, as a client sends it to resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CombinedId {
    hash_bits: HashBits,
    /// The cut name hashes, and the positions.
    positions: Vec<(NameHash, EventId)>,
}

impl CombinedId {
    /// Returns the id after which the stream continues in `channel`, or nothing if the channel was not in the list of
    /// the stream or its position was not known.
    pub fn position(&self, channel: &str) -> Option<EventId> {
        let wanted = self.hash_bits.cut(name_hash(channel));
        let mut positions = self.positions.iter();
        let (_, id) = positions.find(|(hash, _)| *hash == wanted)?;
        Some(*id)
    }
}

impl FromStr for CombinedId {
    type Err = UnknownId;

    /// Accepts exactly the ids that [`Positions`](super::Positions) writes. A text that was cut or changed anywhere is
    /// unknown, and so is the id of a stream of one channel.
    fn from_str(text: &str) -> Result<Self, UnknownId> {
        parse(text).ok_or(UnknownId)
    }
}

fn parse(text: &str) -> Option<CombinedId> {
    let (event, positions) = text.split_once(';')?;
    let (bytes, expected) = encoding::decode_base64(positions)?;
    let mut checksum = encoding::checksum();
    checksum.update(&bytes);
    checksum.update(event.as_bytes());
    if checksum.finalize() != expected {
        return None;
    }
    let mut rest = bytes.as_slice();
    let epochs = encoding::decode_epochs(&mut rest)?;
    let positions = epochs.channels.into_iter().map(|(hash, epoch)| {
        let seq = encoding::read_seq(&mut rest)?;
        Some((hash, EventId { epoch, seq }))
    });
    let positions = positions.collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(CombinedId {
        hash_bits: epochs.hash_bits,
        positions,
    })
}
