//! The streams of the model: responses and feeds.

use std::cell::RefCell;
use std::rc::Rc;

use crate::Stream;

/// A response, which buffers one chunk until its client takes it, as the runtime does. Or a feed, which buffers what
/// the window allows.
#[derive(Clone, Debug, Default)]
pub struct FakeStream(Rc<RefCell<Buffers>>);

#[derive(Debug, Default)]
struct Buffers {
    is_feed: bool,
    /// The chunk that the client has not taken, or all chunks of a feed.
    waiting: Option<Vec<u8>>,
    /// All bytes that the client has taken.
    taken: Vec<u8>,
}

impl FakeStream {
    /// A stream whose opening block has been written.
    pub fn open(opening: &str) -> Self {
        let stream = Self::default();
        stream.write(opening.as_bytes());
        stream
    }

    /// A feed whose opening frame has been sent.
    pub fn open_feed(opening: &str) -> Self {
        let stream = Self::default();
        stream.0.borrow_mut().is_feed = true;
        stream.write(opening.as_bytes());
        stream
    }

    /// Writes a chunk. The stream has to be ready.
    pub fn write(&self, chunk: &[u8]) {
        if self.0.borrow().is_feed {
            self.write_last(chunk);
            return;
        }
        let waiting = self.0.borrow_mut().waiting.replace(chunk.to_vec());
        assert_eq!(waiting, None, "only streams that are ready are written to");
    }

    /// Writes the last chunk of the stream, which may follow a chunk that was not taken.
    pub fn write_last(&self, chunk: &[u8]) {
        let mut buffers = self.0.borrow_mut();
        let waiting = buffers.waiting.get_or_insert_default();
        waiting.extend_from_slice(chunk);
    }

    /// The client takes what waits. Returns the number of bytes.
    pub fn take(&self) -> usize {
        let mut buffers = self.0.borrow_mut();
        let chunk = buffers.waiting.take().unwrap_or_default();
        let bytes = chunk.len();
        buffers.taken.extend(chunk);
        bytes
    }

    /// Returns the number of bytes that wait.
    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting.as_ref().map_or(0, Vec::len)
    }

    /// Returns the bytes that the client has taken.
    pub fn taken(&self) -> Vec<u8> {
        self.0.borrow().taken.clone()
    }

    /// Returns all bytes that were written.
    pub fn written(&self) -> Vec<u8> {
        let buffers = self.0.borrow();
        let mut all = buffers.taken.clone();
        all.extend(buffers.waiting.iter().flatten());
        all
    }
}

impl Stream for FakeStream {
    fn is_ready(&self) -> bool {
        let buffers = self.0.borrow();
        // The window of a feed decides.
        buffers.is_feed || buffers.waiting.is_none()
    }
}
