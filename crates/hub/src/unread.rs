//! How many bytes the streams have not taken yet, and how large a chunk may be then.

use super::cursor::{MAX_CHUNK, SMALL_CHUNK};

/// From so many bytes on, chunks are small: 128 of the largest. An object has 128 MiB, and copies of a chunk
/// are kept outside of it, too.
const MANY_BYTES: usize = 8 << 20;

/// The bytes that streams were given last and have not taken yet, as each flush counts them anew.
#[derive(Debug, Default)]
pub struct UnreadBytes {
    last_flush: usize,
    this_flush: usize,
}

impl UnreadBytes {
    /// A flush begins, which looks at all streams.
    pub fn begin_flush(&mut self) {
        self.last_flush = std::mem::take(&mut self.this_flush);
    }

    /// The flush came to a stream that has not taken its last chunk of so many `bytes`.
    pub fn add(&mut self, bytes: usize) {
        self.this_flush = self.this_flush.saturating_add(bytes);
    }

    /// The most bytes that a stream may be given now.
    pub fn max_chunk(&self) -> usize {
        if self.last_flush.max(self.this_flush) > MANY_BYTES {
            SMALL_CHUNK
        } else {
            MAX_CHUNK
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_small_while_much_is_unread() {
        let mut unread = UnreadBytes::default();
        for _ in 0..128 {
            unread.add(MAX_CHUNK);
        }
        assert_eq!(unread.max_chunk(), MAX_CHUNK);
        unread.add(MAX_CHUNK);
        assert_eq!(unread.max_chunk(), SMALL_CHUNK, "already in this flush");
        unread.begin_flush();
        assert_eq!(
            unread.max_chunk(),
            SMALL_CHUNK,
            "the last flush has seen it"
        );
        unread.begin_flush();
        assert_eq!(unread.max_chunk(), MAX_CHUNK, "the streams have taken them");
    }
}
