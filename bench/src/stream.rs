//! Splits the response of a subscription into lines. The body is chunked, or ends with the connection. This code is
//! minimal, because the generator reads up to a million lines a second.

use anyhow::{Result, bail};
use memchr::memchr;

/// The maximum size of a head, and of the line with a chunk's size.
const MAX_HEAD: usize = 16 * 1024;

/// Reads one response. Its bytes may arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct EventReader {
    state: State,
    /// The part of the head, or of the line with a chunk's size, that has arrived.
    pending: Vec<u8>,
    /// The part of the stream's current line that has arrived.
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// A body that ends with the connection.
    Plain,
    ChunkSize,
    /// A chunk. The number of bytes that are still missing includes its line end.
    Chunk(u64),
}

/// The size of the line end that follows a chunk.
const CHUNK_END: u64 = 2;

impl EventReader {
    /// Whether the head has been read, and so the server has accepted the subscription.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    /// Processes `bytes`, and calls `on_line` for each complete line. Fails if the response is no event stream.
    pub fn read(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&[u8])) -> Result<()> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(bytes)?,
                State::ChunkSize => self.chunk_size(bytes)?,
                State::Chunk(left) => {
                    let take = left.min(bytes.len() as u64);
                    let (chunk, rest) = bytes.split_at(take as usize);
                    // The chunk's line end does not belong to the body.
                    let body = left.saturating_sub(CHUNK_END).min(take);
                    self.lines(&chunk[..body as usize], &mut on_line);
                    self.state = match left - take {
                        0 => State::ChunkSize,
                        left => State::Chunk(left),
                    };
                    rest
                }
                State::Plain => {
                    self.lines(bytes, &mut on_line);
                    &[]
                }
            };
        }
        Ok(())
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(&self.pending)? else {
            if self.pending.len() > MAX_HEAD {
                bail!("the head of the response is too long");
            }
            return Ok(&[]);
        };
        let status = response.code.unwrap_or_default();
        if status != 200 {
            bail!("the server answered the subscription with status {status}");
        }
        let is = |header: &httparse::Header<'_>, name| header.name.eq_ignore_ascii_case(name);
        let mut headers = response.headers.iter();
        if headers.clone().any(|header| is(header, "content-length")) {
            bail!("the response to the subscription has a Content-Length, so it is no stream");
        }
        let chunked = headers.any(|header| {
            is(header, "transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
        });
        self.state = if chunked {
            State::ChunkSize
        } else {
            State::Plain
        };
        self.pending.clear();
        Ok(&bytes[length - before..])
    }

    fn chunk_size<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let before = self.pending.len();
        let take = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        self.pending.extend_from_slice(&bytes[..take]);
        match httparse::parse_chunk_size(&self.pending) {
            Ok(httparse::Status::Complete((length, size))) => {
                self.pending.clear();
                if size == 0 {
                    bail!("the server ended the stream");
                }
                self.state = State::Chunk(size + CHUNK_END);
                Ok(&bytes[length - before..])
            }
            Ok(httparse::Status::Partial) if self.pending.len() <= MAX_HEAD => Ok(&bytes[take..]),
            _ => bail!("the body is not chunked"),
        }
    }

    fn lines(&mut self, mut bytes: &[u8], on_line: &mut impl FnMut(&[u8])) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.line.is_empty() {
                on_line(line);
            } else {
                self.line.extend_from_slice(line);
                on_line(&self.line);
                self.line.clear();
            }
            bytes = rest;
        }
        self.line.extend_from_slice(bytes);
    }
}

/// The value of a line, if its field is `name`. `name` ends with a colon.
pub fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name.as_bytes())?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        9\r\nid: 1\ndat\r\n1a;x=y\r\na: one\n\nid: 2\ndata:two\n\n:\n\r\n1\r\n\n\r\n";
    const PLAIN: &str = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\ndata: one\n\n: hello\n\ndata: two\n\n";

    #[test]
    fn lines_are_read_from_pieces_of_any_size() {
        for response in [CHUNKED, PLAIN] {
            for size in 1..response.len() {
                let mut reader = EventReader::default();
                let mut data = Vec::new();
                for bytes in response.as_bytes().chunks(size) {
                    let push = |line: &[u8]| {
                        let value = field(line, "data:").map(|value| value.to_vec());
                        data.extend(value.map(|value| String::from_utf8(value).unwrap()));
                    };
                    reader.read(bytes, push).unwrap();
                }
                assert!(reader.is_open());
                assert_eq!(data, ["one", "two"], "cut into {size}");
            }
        }
    }

    #[test]
    fn a_response_that_is_no_event_stream_is_an_error() {
        let read = |bytes: &[u8]| EventReader::default().read(bytes, |_| {});
        assert!(read(b"HTTP/1.1 503 No\r\n\r\n").is_err());
        assert!(read(b"hello\r\n\r\n").is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").is_err());
    }
}
