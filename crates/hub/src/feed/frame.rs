//! The binary messages of a feed.

/// The number of bytes of a [`FrameHeader`].
pub const FRAME_HEADER_BYTES: usize = 8;

/// The bit that says that the frame ends in the middle of an event.
const IN_EVENT: u64 = 1 << 63;

/// The bit that asks for [`FeedMessage::Holds`](super::FeedMessage::Holds).
const ASKS: u64 = 1 << 62;

/// The bit that says that the feed ends with the frame.
const ENDS: u64 = 1 << 61;

/// The beginning of a frame. The bytes of the event stream follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHeader {
    /// The sequence number of the event that follows the frame. If the frame ends in the middle of an event, that is
    /// the event after this one.
    pub next_seq: u64,
    /// Whether the frame ends in the middle of an event.
    pub in_event: bool,
    /// Whether the object asks how many bytes the Worker holds. It has slept, and does not know.
    pub asks: bool,
    /// Whether the feed ends with the frame, because the channel has ended or was deleted. If the feed breaks before
    /// the object has closed it, the Worker must not open it again.
    pub ends: bool,
}

impl FrameHeader {
    /// Encodes the header, as a number in little-endian order. The sequence number has 61 bits.
    pub fn encode(self) -> [u8; FRAME_HEADER_BYTES] {
        let flag = |is_set: bool, bit: u64| if is_set { bit } else { 0 };
        let number = self.next_seq & (ENDS - 1);
        let flags = [
            flag(self.in_event, IN_EVENT),
            flag(self.asks, ASKS),
            flag(self.ends, ENDS),
        ];
        flags
            .into_iter()
            .fold(number, |number, flag| number | flag)
            .to_le_bytes()
    }

    /// Decodes the number that an encoded header is. Every number is valid.
    pub fn from_bits(bits: u64) -> Self {
        Self {
            next_seq: bits & (ENDS - 1),
            in_event: bits & IN_EVENT != 0,
            asks: bits & ASKS != 0,
            ends: bits & ENDS != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_decoded_as_it_was_encoded() {
        for next_seq in [0, 1, 1 << 40, (1 << 61) - 1] {
            for flags in 0..8 {
                let header = FrameHeader {
                    next_seq,
                    in_event: flags & 1 != 0,
                    asks: flags & 2 != 0,
                    ends: flags & 4 != 0,
                };
                let bits = u64::from_le_bytes(header.encode());
                assert_eq!(FrameHeader::from_bits(bits), header);
            }
        }
    }
}
