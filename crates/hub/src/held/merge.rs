//! Joins the feeds of several channels to one stream.

use std::collections::VecDeque;

use super::action::FeedNumber;
use crate::feed::FrameHeader;
use crate::sse::{ChannelIndex, EventId, IdRewriter, Positions, UnknownId};

/// The state of a stream of several channels.
#[derive(Debug)]
pub struct Merge {
    positions: Positions,
    /// By the numbers of the feeds.
    channels: Vec<MergedChannel>,
    /// The feed in the middle of whose block the stream is. Until its next frame, nothing else may be written.
    current: Option<FeedNumber>,
    /// The frames that wait until the block ends. Each feed has at most one window of them.
    waiting: VecDeque<WaitingFrame>,
}

#[derive(Debug)]
struct MergedChannel {
    index: ChannelIndex,
    rewriter: IdRewriter,
}

/// A frame that waits.
#[derive(Debug)]
pub struct WaitingFrame {
    /// The feed that it is of.
    pub feed: FeedNumber,
    /// Its header. `None` for a notice of the Worker.
    pub header: Option<FrameHeader>,
    /// Its bytes, without the header.
    pub bytes: Vec<u8>,
}

impl Merge {
    /// The stream continues after `positions`, which has the channels in the order of the feeds.
    pub fn new(positions: Positions) -> Self {
        let channels = positions.channels().map(|(index, _)| MergedChannel {
            index,
            rewriter: IdRewriter::new(index),
        });
        Self {
            channels: channels.collect(),
            positions,
            current: None,
            waiting: VecDeque::new(),
        }
    }

    /// Whether the stream is in the middle of a block.
    pub fn is_in_block(&self) -> bool {
        self.current.is_some()
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sets where the stream continues in a channel whose position is not known yet.
    pub fn note_start(&mut self, feed: FeedNumber, start: EventId) {
        if let Some(channel) = self.channels.get(feed)
            && self.positions.get(channel.index).is_none()
        {
            self.positions.set(channel.index, start);
        }
    }

    /// Notes that the feed was opened again, at the end of a block.
    pub fn note_opened(&mut self, feed: FeedNumber) {
        if let Some(channel) = self.channels.get_mut(feed) {
            channel.rewriter = IdRewriter::new(channel.index);
        }
    }

    /// Makes a frame wait until the block ends.
    pub fn wait(&mut self, frame: WaitingFrame) {
        self.waiting.push_back(frame);
    }

    /// Takes the next frame that may be written.
    pub fn next(&mut self) -> Option<WaitingFrame> {
        let next = match self.current {
            None => 0,
            Some(current) => self
                .waiting
                .iter()
                .position(|frame| frame.feed == current)?,
        };
        self.waiting.remove(next)
    }

    /// Forgets the frames of a feed that has broken. The next feed delivers their events again.
    pub fn forget(&mut self, feed: FeedNumber) {
        self.waiting
            .retain(|frame| frame.feed != feed || frame.header.is_none());
    }

    /// Returns `bytes` of the feed with combined ids. Fails if the bytes have an id that is none.
    pub fn rewrite(&mut self, feed: FeedNumber, bytes: &[u8]) -> Result<Vec<u8>, UnknownId> {
        let mut out = Vec::with_capacity(bytes.len().saturating_mul(2));
        if let Some(channel) = self.channels.get_mut(feed) {
            channel
                .rewriter
                .push(bytes, &mut self.positions, &mut out)?;
            self.current = channel.rewriter.is_in_block().then_some(feed);
        }
        Ok(out)
    }
}
