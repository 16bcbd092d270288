//! The streams of the model.

use std::cell::RefCell;
use std::rc::Rc;

use crate::Stream;

/// A stream that buffers one chunk until its client takes it, as the runtime does.
#[derive(Clone, Debug, Default)]
pub struct FakeStream(Rc<RefCell<Buffers>>);

#[derive(Debug, Default)]
struct Buffers {
    /// The chunk that the client has not taken.
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

    /// Writes a chunk. The stream has to be ready.
    pub fn write(&self, chunk: &[u8]) {
        let waiting = self.0.borrow_mut().waiting.replace(chunk.to_vec());
        assert_eq!(waiting, None, "only streams that are ready are written to");
    }

    /// Writes the last chunk of the stream, which may follow a chunk that was not taken.
    pub fn write_last(&self, chunk: &[u8]) {
        let mut buffers = self.0.borrow_mut();
        let waiting = buffers.waiting.get_or_insert_default();
        waiting.extend_from_slice(chunk);
    }

    /// The client takes the chunk that waits.
    pub fn take(&self) {
        let mut buffers = self.0.borrow_mut();
        let chunk = buffers.waiting.take().unwrap_or_default();
        buffers.taken.extend(chunk);
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
        self.0.borrow().waiting.is_none()
    }
}
