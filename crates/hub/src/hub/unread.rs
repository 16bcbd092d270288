//! Limits the size of chunks while streams have not taken much of what they were given.

/// The most bytes of a chunk. Many streams share a chunk, but a stalled stream can become the only one that holds its
/// chunk.
pub const MAX_CHUNK: usize = 64 * 1024;

/// The most bytes of a chunk while much is unread. If thousands of streams stall at different positions, the object
/// keeps a chunk for each of them.
pub const SMALL_CHUNK: usize = 8 * 1024;

/// Chunks are small if more bytes than this are unread: 128 chunks of the largest size. An object has 128 MiB, and the
/// runtime keeps copies of chunks, too.
const MANY_BYTES: usize = 8 << 20;

/// Counts the bytes of the chunks that streams have not taken yet. Each flush starts the count again.
#[derive(Debug, Default)]
pub struct UnreadBytes {
    last_flush: usize,
    this_flush: usize,
}

impl UnreadBytes {
    /// Notes that a flush begins, which looks at all streams.
    pub fn begin_flush(&mut self) {
        self.last_flush = std::mem::take(&mut self.this_flush);
    }

    /// Notes that a stream has not taken its last chunk of this many bytes.
    pub fn add(&mut self, bytes: usize) {
        self.this_flush = self.this_flush.saturating_add(bytes);
    }

    /// Returns the most bytes that a chunk may have now.
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
        unread.add(1);
        assert_eq!(unread.max_chunk(), SMALL_CHUNK, "this flush has seen it");
        unread.begin_flush();
        assert_eq!(
            unread.max_chunk(),
            SMALL_CHUNK,
            "the last flush has seen it"
        );
        unread.begin_flush();
        assert_eq!(unread.max_chunk(), MAX_CHUNK, "the streams have taken it");
    }
}
