//! The bytes of the positions.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bitstream_io::{BigEndian, BitRead, BitReader, BitWrite, BitWriter};
use crc::{CRC_32_ISO_HDLC, Crc, Digest};

use super::MAX_CHANNELS;
use super::name_hash::{HashBits, NameHash};
use crate::sse::Epoch;

/// The number of the format.
const FORMAT: u8 = 1;

/// The bits before the first channel.
const HEADER_BITS: usize = 8 + 7 + 6 + 7 + 44;

/// The most bits of a channel in the epochs: the difference of the name hash, the age and the random bits.
const MAX_CHANNEL_BITS: usize = 128 + 44 + 21;

/// The most bytes of a number of 64 bits in LEB128.
const MAX_SEQ_BYTES: usize = 10;

/// The bytes of the checksum.
const CHECKSUM_BYTES: usize = 4;

/// The most bytes of the positions. The unary parts of all Rice codes have at most two bits for each channel.
const MAX_BYTES: usize = (HEADER_BITS + MAX_CHANNELS * (MAX_CHANNEL_BITS + 2)).div_ceil(8)
    + MAX_CHANNELS * MAX_SEQ_BYTES
    + CHECKSUM_BYTES;

/// The most characters of the positions.
pub const MAX_CHARS: usize = (MAX_BYTES * 4).div_ceil(3);

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A checksum to which bytes can be added.
pub type Checksum = Digest<'static, u32>;

/// Starts a checksum.
pub fn checksum() -> Checksum {
    CRC.digest()
}

/// Appends `bytes` to `text` in base64url.
pub fn write_base64(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes the positions of an id, and separates them from their checksum.
pub fn decode_base64(text: &str) -> Option<(Vec<u8>, u32)> {
    if text.len() > MAX_CHARS {
        return None;
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (rest, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (length, checksum) = (rest.len(), u32::from_be_bytes(*checksum));
    bytes.truncate(length);
    Some((bytes, checksum))
}

/// Encodes the epochs of the channels that have a position, in ascending order of `hashes`. `hash_bits` distinguish the
/// hashes.
pub fn encode_epochs(hash_bits: HashBits, channels: &[(NameHash, Epoch)]) -> Vec<u8> {
    let encoded = try_encode_epochs(hash_bits, channels);
    debug_assert!(encoded.is_ok(), "the values fit into their bits");
    encoded.unwrap_or_default()
}

fn try_encode_epochs(hash_bits: HashBits, channels: &[(NameHash, Epoch)]) -> io::Result<Vec<u8>> {
    let newest = channels.iter().map(|(_, epoch)| epoch.began()).max();
    let newest = newest.unwrap_or_default();
    let age = |epoch: &Epoch| newest.saturating_sub(epoch.began());
    let oldest = channels.iter().map(|(_, epoch)| age(epoch)).max();
    let age_bits = bits_of(oldest.unwrap_or_default());
    let count = u8::try_from(channels.len()).map_err(io::Error::other)?;

    let mut bits = BitWriter::endian(Vec::new(), BigEndian);
    bits.write::<8, u8>(FORMAT)?;
    bits.write::<7, u32>(hash_bits.encoded())?;
    bits.write::<6, u32>(age_bits)?;
    bits.write::<7, u8>(count)?;
    bits.write::<44, u64>(newest)?;
    let plain_bits = hash_bits.plain_bits(channels.len());
    let mut previous = 0;
    for (hash, epoch) in channels {
        let hash = hash_bits.cut(*hash);
        write_rice(&mut bits, plain_bits, hash.saturating_sub(previous))?;
        bits.write_var(age_bits, age(epoch))?;
        bits.write::<21, u32>(epoch.random())?;
        previous = hash;
    }
    bits.byte_align()?;
    Ok(bits.into_writer())
}

/// The epochs of an id.
pub struct DecodedEpochs {
    /// How many bits the name hashes have.
    pub hash_bits: HashBits,
    /// The cut name hash and the epoch of each channel that has a position.
    pub channels: Vec<(NameHash, Epoch)>,
}

/// Decodes the epochs at the start of `bytes`, and removes them from `bytes`.
pub fn decode_epochs(bytes: &mut &[u8]) -> Option<DecodedEpochs> {
    // The reader takes no byte before it needs one of its bits.
    let mut bits = BitReader::endian(bytes, BigEndian);
    if bits.read::<8, u8>().ok()? != FORMAT {
        return None;
    }
    let hash_bits = HashBits::decode(bits.read::<7, u32>().ok()?)?;
    let age_bits = bits.read::<6, u32>().ok()?;
    let count = usize::from(bits.read::<7, u8>().ok()?);
    let newest = bits.read::<44, u64>().ok()?;
    if count > MAX_CHANNELS {
        return None;
    }
    let plain_bits = hash_bits.plain_bits(count);
    let mut channels = Vec::with_capacity(count);
    let mut hash: NameHash = 0;
    for _ in 0..count {
        hash = hash.checked_add(read_rice(&mut bits, plain_bits)?)?;
        let age = bits.read_var::<u64>(age_bits).ok()?;
        let random = bits.read::<21, u32>().ok()?;
        let began = newest.checked_sub(age)?;
        channels.push((hash, Epoch::new(began, random)));
    }
    Some(DecodedEpochs {
        hash_bits,
        channels,
    })
}

/// Returns how many bits `number` has.
fn bits_of(number: u64) -> u32 {
    u64::BITS.saturating_sub(number.leading_zeros())
}

/// Writes the upper bits of `number` in unary, and the lower `plain_bits` as they are.
fn write_rice(bits: &mut impl BitWrite, plain_bits: u32, number: NameHash) -> io::Result<()> {
    let upper = number.checked_shr(plain_bits).unwrap_or_default();
    let lower = number ^ upper.checked_shl(plain_bits).unwrap_or_default();
    bits.write_unary::<1>(u32::try_from(upper).map_err(io::Error::other)?)?;
    bits.write_var(plain_bits, lower)
}

fn read_rice(bits: &mut impl BitRead, plain_bits: u32) -> Option<NameHash> {
    let upper = NameHash::from(bits.read_unary::<1>().ok()?);
    let lower = bits.read_var::<NameHash>(plain_bits).ok()?;
    let shifted = upper.checked_shl(plain_bits).unwrap_or_default();
    shifted.checked_add(lower)
}

/// Appends `seq` in LEB128: 7 bits a byte, the lowest first. The highest bit of a byte says whether more follow.
pub fn write_seq(bytes: &mut Vec<u8>, mut seq: u64) {
    while seq > 0x7f {
        bytes.push(seq as u8 | 0x80);
        seq >>= 7;
    }
    bytes.push(seq as u8);
}

/// Reads what [`write_seq`] wrote at the start of `bytes`, and removes it from `bytes`.
pub fn read_seq(bytes: &mut &[u8]) -> Option<u64> {
    let mut seq: u64 = 0;
    for place in 0..MAX_SEQ_BYTES as u32 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let shift = place.checked_mul(7)?;
        let digit = u64::from(byte & 0x7f);
        let shifted = digit.checked_shl(shift)?;
        if shifted.checked_shr(shift) != Some(digit) {
            return None;
        }
        seq |= shifted;
        if byte & 0x80 == 0 {
            return Some(seq);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes channels whose encoding is as long as possible: they need all bits of their hashes, and an epoch is as old
    /// as it can be.
    fn long_channels(count: usize) -> Vec<(NameHash, Epoch)> {
        let last = NameHash::MAX - count as NameHash;
        let began = |place: u64| place % 2 * u64::MAX;
        let channel = |place: u64| {
            let epoch = Epoch::new(began(place), place as u32);
            (last + NameHash::from(place), epoch)
        };
        (1..=count as u64).map(channel).collect()
    }

    #[test]
    fn the_longest_positions_are_read_back_and_have_at_most_max_chars() {
        let hash_bits = HashBits::that_distinguish(&[0, 1]).unwrap();
        for count in 1..=MAX_CHANNELS {
            let channels = long_channels(count);
            let mut bytes = encode_epochs(hash_bits, &channels);
            for _ in 0..count {
                write_seq(&mut bytes, u64::MAX);
            }
            let mut rest = bytes.as_slice();
            let decoded = decode_epochs(&mut rest).unwrap();
            assert_eq!((decoded.hash_bits, decoded.channels), (hash_bits, channels));
            assert_eq!(rest.len(), count * MAX_SEQ_BYTES);

            bytes.extend([0; CHECKSUM_BYTES]);
            let mut text = String::new();
            write_base64(&mut text, &bytes);
            assert!(text.len() <= MAX_CHARS, "{}", text.len());
        }
    }

    #[test]
    fn positions_of_more_than_max_chars_or_max_channels_are_refused() {
        let longest = MAX_CHARS / 4 * 4;
        assert!(decode_base64(&"A".repeat(longest)).is_some());
        assert!(decode_base64(&"A".repeat(longest + 4)).is_none());
        let hash_bits = HashBits::that_distinguish(&[0, 1]).unwrap();
        for (count, read) in [(MAX_CHANNELS, true), (MAX_CHANNELS + 1, false)] {
            let bytes = encode_epochs(hash_bits, &long_channels(count));
            assert_eq!(decode_epochs(&mut bytes.as_slice()).is_some(), read);
        }
    }

    #[test]
    fn a_sequence_number_is_read_back_and_one_of_more_than_64_bits_is_refused() {
        for seq in [0, 1, 127, 128, 16_383, 16_384, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_seq(&mut bytes, seq);
            bytes.push(9);
            let mut rest = bytes.as_slice();
            assert_eq!(read_seq(&mut rest), Some(seq));
            assert_eq!(rest, [9]);
        }
        for mut bytes in [
            &[][..],
            &[0x80],
            &[0xff; 11],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ] {
            assert_eq!(read_seq(&mut bytes), None);
        }
    }
}
