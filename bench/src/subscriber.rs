//! A subscriber, which reads one stream.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use url::Url;

use crate::event::Event;
use crate::stream::{EventReader, field};
use crate::tally::{Expected, Tally};

/// How many bytes are read at once. A stream that lags has more to read than one that keeps up.
pub const READ: usize = 256 * 1024;

/// The receive buffer of a stream that never reads. It is small, so that it fills up soon.
const STALLED_BUFFER: u32 = 4 * 1024;

/// How long the server may take to accept a stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// The state that all streams share.
pub struct Shared {
    /// When the run began. The times of events are relative to it.
    pub begun: Instant,
    /// What all streams have received.
    pub tally: RefCell<Tally>,
    /// The buffer into which all streams read, one after the other.
    pub buffer: RefCell<Vec<u8>>,
    /// How many publishers there are.
    pub publishers: usize,
    /// How many events each publisher publishes before the measurement begins.
    pub warm_up: u32,
}

impl Shared {
    /// The state at the beginning of a run.
    pub fn new(publishers: usize, warm_up: u32) -> Rc<Self> {
        Rc::new(Self {
            begun: Instant::now(),
            tally: RefCell::new(Tally::new()),
            buffer: RefCell::new(vec![0; READ]),
            publishers,
            warm_up,
        })
    }
}

/// Opens a stream and reads it in the background until the server ends it. Returns when the server has accepted it.
pub async fn subscribe(url: &Url, address: SocketAddr, shared: Rc<Shared>) -> Result<()> {
    let stream = request_stream(url, address, None).await?;
    let (open, opened) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let mut reader = Reader::new(stream, shared);
        let mut open = Some(open);
        let end = loop {
            if let Err(error) = reader.read().await {
                break error;
            }
            if reader.events.is_open()
                && let Some(open) = open.take()
            {
                let _ = open.send(Ok(()));
            }
        };
        reader.shared.tally.borrow_mut().ended += 1;
        if let Some(open) = open {
            let _ = open.send(Err(end));
        }
    });
    tokio::time::timeout(PATIENCE, opened)
        .await
        .context("the server did not answer a subscriber")??
}

/// Opens a stream and never reads from it. The stream is closed when the returned connection is dropped.
pub async fn subscribe_stalled(url: &Url, address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4_or_v6(address)?;
    socket.set_recv_buffer_size(STALLED_BUFFER)?;
    request(socket, url, address, None).await
}

/// Opens a connection and sends the request for a stream, with `last_event_id` if there is one. The caller reads the
/// response.
pub async fn request_stream(
    url: &Url,
    address: SocketAddr,
    last_event_id: Option<&str>,
) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4_or_v6(address)?;
    request(socket, url, address, last_event_id).await
}

trait SocketFor: Sized {
    fn new_v4_or_v6(address: SocketAddr) -> std::io::Result<Self>;
}

impl SocketFor for TcpSocket {
    fn new_v4_or_v6(address: SocketAddr) -> std::io::Result<Self> {
        if address.is_ipv4() {
            Self::new_v4()
        } else {
            Self::new_v6()
        }
    }
}

async fn request(
    socket: TcpSocket,
    url: &Url,
    address: SocketAddr,
    last_event_id: Option<&str>,
) -> Result<TcpStream> {
    let mut stream = socket.connect(address).await?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let resume = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{}\r\n",
        resume.unwrap_or_default()
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Waits for bytes and calls `take` with them. Fails at the end of the stream.
pub async fn read(
    stream: &TcpStream,
    buffer: &RefCell<Vec<u8>>,
    take: impl FnOnce(&[u8]) -> Result<()>,
) -> Result<()> {
    stream.readable().await?;
    let mut buffer = buffer.borrow_mut();
    match stream.try_read(&mut buffer) {
        Ok(0) => bail!("the server ended the stream"),
        Ok(length) => take(&buffer[..length]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads a stream and counts its events.
struct Reader {
    stream: TcpStream,
    shared: Rc<Shared>,
    events: EventReader,
    expected: Expected,
}

impl Reader {
    fn new(stream: TcpStream, shared: Rc<Shared>) -> Self {
        let expected = Expected::new(shared.publishers);
        Self {
            stream,
            shared,
            events: EventReader::default(),
            expected,
        }
    }

    /// Waits for bytes and processes them. Fails at the end of the stream.
    async fn read(&mut self) -> Result<()> {
        let (shared, expected) = (&self.shared, &mut self.expected);
        let take = |bytes: &[u8]| {
            let now = shared.begun.elapsed();
            let mut tally = shared.tally.borrow_mut();
            self.events.read(bytes, |line| {
                let Some(event) = field(line, "data:").and_then(Event::read) else {
                    return;
                };
                if expected.in_order(event) {
                    tally.arrived(event, now, event.number >= shared.warm_up);
                } else {
                    tally.out_of_order += 1;
                }
            })
        };
        read(&self.stream, &shared.buffer, take).await
    }
}
