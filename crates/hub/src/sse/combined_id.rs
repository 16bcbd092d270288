//! The ids of a stream of several channels: `<channel>/<epoch>-<seq>;<positions>`.
//!
//! The part before the semicolon says which event this is. The part behind it, the *positions*, holds the id after
//! which the stream continues in each of its channels. So a client that sends the last id that it saw resumes every
//! channel exactly, also if the list of channels has changed.
//!
//! - [`Positions`] belongs to an open stream, and writes its ids.
//! - [`CombinedId`] reads the id that a client sends.
//!
//! # Format of the positions
//!
//! The positions are base64url without padding. So no character of a combined id changes if a client or a proxy
//! percent-decodes the id, or decodes it as a form. The bytes are, in big-endian order:
//!
//! 1. The *epochs*, as bits, with zero bits after them up to a whole byte:
//!    - 8 bits: the format, 1;
//!    - 7 bits: the number of bits of a name hash, less 1;
//!    - 6 bits: the number of bits of an age;
//!    - 7 bits: the number of channels that have a position;
//!    - 44 bits: when the newest epoch began, in milliseconds since 1970;
//!    - for each of these channels, in ascending order of the name hashes: the difference to the name hash before it as
//!      a Rice code, the age of the epoch (how many milliseconds before the newest epoch it began), and the 21 random
//!      bits of the epoch.
//! 2. The *seqs*: for each of these channels in the same order, the seq in LEB128.
//! 3. CRC-32 of the epochs, the seqs and the part of the id before the semicolon. Without it, an id that a client has
//!    damaged could be read as a position.
//!
//! Nothing is encrypted or signed. A client may ask for any position of a channel that its token permits, so it gains
//! nothing from an id that it made itself.
//!
//! # Name hashes
//!
//! A name hash is the first bits of the SHA-256 of the name: 17 bits, or as many more as the names of a list need to
//! differ. So two channels of one list are never confused, and a stream whose list has not changed resumes exactly.
//!
//! A channel that is new in the list has the name hash of one of `n` channels of the old list with a probability of
//! `n` / 2¹⁷. It then gets an id with an epoch that it never had. The channel reports this with `hub.gap`, as if it had
//! been deleted, instead of starting at the next event. It never skips an event.

mod encoding;
mod name_hash;
mod parse;
mod positions;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;

pub use self::parse::CombinedId;
pub use self::positions::{ChannelIndex, ChannelListError, Positions};

/// The most channels that a stream can have.
pub const MAX_CHANNELS: usize = 100;
