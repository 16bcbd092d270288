//! One stream each.

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

/// What is read at once: a stream that lags has more to read than one that keeps up.
pub const READ: usize = 256 * 1024;

/// The receive buffer of a stream that never reads, so that it backs up soon.
const STALLED_BUFFER: u32 = 4 * 1024;

/// How long a server may take to accept a stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all streams share.
pub struct Shared {
    /// When the run began: what events are dated by.
    pub begun: Instant,
    pub tally: RefCell<Tally>,
    /// Where bytes are read into: one for all, as they take turns.
    pub buffer: RefCell<Vec<u8>>,
    pub publishers: usize,
    /// How many events of each publisher are not measured.
    pub warm_up: u32,
}

impl Shared {
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

/// Opens a stream that reads all that comes, until the server ends it. Returns once the server has accepted.
pub async fn subscribe(url: &Url, address: SocketAddr, shared: Rc<Shared>) -> Result<()> {
    let stream = ask(url, address, None).await?;
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

/// Opens a stream and never reads from it. It stays open for as long as what is returned.
pub async fn subscribe_stalled(url: &Url, address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4_or_v6(address)?;
    socket.set_recv_buffer_size(STALLED_BUFFER)?;
    request(socket, url, address, None).await
}

/// Opens a connection and asks for a stream, after `last_event_id` where there is one. The answer is still to be read.
pub async fn ask(url: &Url, address: SocketAddr, last_event_id: Option<&str>) -> Result<TcpStream> {
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

/// Waits for bytes and has `take` take them in. Fails at the end of the stream.
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

    /// Waits for bytes and takes them in. Fails at the end of the stream.
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
