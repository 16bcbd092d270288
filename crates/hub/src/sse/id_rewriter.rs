//! Replaces the ids of one channel by combined ids.

#[cfg(test)]
mod proptests;

use memchr::memchr;

use super::combined_id::{ChannelIndex, Positions};
use super::id::{EventId, MAX_ID_LINE, UnknownId};

/// Rewrites the bytes of a feed for a stream of several channels: each line `id: <epoch>-<seq>` becomes
/// `id: <channel>/<epoch>-<seq>;<positions>`, and all other lines pass unchanged.
///
/// The bytes are those that the hub writes to a stream, in frames that are cut anywhere. Each line ends with LF. A line
/// that begins with `i` is an `id:` line, because a line of data begins with `data:`.
#[derive(Clone, Debug)]
pub struct IdRewriter {
    channel: ChannelIndex,
    line: Line,
    /// Whether the block has a line of an event already.
    in_event: bool,
    /// The start of an `id:` line that is not whole, of at most [`MAX_ID_LINE`] bytes.
    held: Vec<u8>,
}

/// The line that the last frame ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// None: the last byte was an LF, or there was no byte.
    Start,
    /// An `id:` line. Its start is held.
    Id,
    /// Any other line.
    Other,
}

impl IdRewriter {
    /// Makes a rewriter for the feed of `channel`, from the start of the feed.
    pub fn new(channel: ChannelIndex) -> Self {
        Self {
            channel,
            line: Line::Start,
            in_event: false,
            held: Vec::new(),
        }
    }

    /// Returns whether the next frame continues a line or an event. Then no other bytes must be written to the stream
    /// before the next frame.
    ///
    /// A comment or a `retry:` line may stand between two events without a blank line, so it begins no event.
    pub fn is_in_block(&self) -> bool {
        self.in_event || self.line != Line::Start
    }

    /// Appends the next bytes of the feed to `out`, and sets the position of the channel to each id in them. If the
    /// frame ends in an `id:` line, the start of that line comes with the next frame.
    ///
    /// # Errors
    ///
    /// An `id:` line has no id of an event. The bytes before it were appended. The feed has to be closed, because a
    /// client could not resume after such a line.
    pub fn push(
        &mut self,
        frame: &[u8],
        positions: &mut Positions,
        out: &mut Vec<u8>,
    ) -> Result<(), UnknownId> {
        // Lines that pass unchanged are appended together. They are the first `passed` bytes of `unwritten`.
        let (mut unwritten, mut passed) = (frame, 0);
        while let Some((piece, rest)) = split_line(unwritten.get(passed..).unwrap_or_default()) {
            if self.line == Line::Start {
                self.begin_line(piece);
            }
            if self.line == Line::Id {
                out.extend_from_slice(unwritten.get(..passed).unwrap_or_default());
                (unwritten, passed) = (rest, 0);
                self.push_id(piece, positions, out)?;
            } else {
                passed = passed.saturating_add(piece.len());
            }
            if piece.ends_with(b"\n") {
                self.line = Line::Start;
            }
        }
        out.extend_from_slice(unwritten);
        Ok(())
    }

    /// Notes which line begins with `piece`.
    fn begin_line(&mut self, piece: &[u8]) {
        (self.line, self.in_event) = match piece.first() {
            Some(b'\n') => (Line::Other, false),
            // A comment, or `retry:`.
            Some(b':' | b'r') => (Line::Other, self.in_event),
            Some(b'i') => (Line::Id, true),
            _ => (Line::Other, true),
        };
    }

    /// Takes the next bytes of an `id:` line, and writes the combined id if the line is whole.
    fn push_id(
        &mut self,
        piece: &[u8],
        positions: &mut Positions,
        out: &mut Vec<u8>,
    ) -> Result<(), UnknownId> {
        if self.held.len().saturating_add(piece.len()) > MAX_ID_LINE {
            return Err(UnknownId);
        }
        if !piece.ends_with(b"\n") {
            self.held.extend_from_slice(piece);
            return Ok(());
        }
        let id = if self.held.is_empty() {
            parse_id_line(piece)?
        } else {
            self.held.extend_from_slice(piece);
            let id = parse_id_line(&self.held)?;
            self.held.clear();
            id
        };
        positions.write_id_line(self.channel, id, out);
        Ok(())
    }
}

/// Splits `bytes` behind the first LF, or at the end. Returns nothing if there are no bytes.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = memchr(b'\n', bytes).map_or(bytes.len(), |at| at.saturating_add(1));
    let split = bytes.split_at_checked(length)?;
    (!bytes.is_empty()).then_some(split)
}

fn parse_id_line(line: &[u8]) -> Result<EventId, UnknownId> {
    let line = str::from_utf8(line).map_err(|_| UnknownId)?;
    let id = line
        .strip_prefix("id: ")
        .and_then(|rest| rest.strip_suffix('\n'));
    id.ok_or(UnknownId)?.parse()
}
