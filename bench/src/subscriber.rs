//! Opens streams, and counts what they receive.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::MutexGuard;
use std::time::Instant;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use url::Url;

use crate::channels::{CombinedIds, names};
use crate::event::Event;
use crate::options::Options;
use crate::reader::{Reader, Receiver};
use crate::stream::field;
use crate::tally::{Expected, Tally};

/// The receive buffer of a stream that never reads. It is small, so that it fills up soon.
const STALLED_BUFFER: u32 = 4 * 1024;

/// The subscribers of a run, except those of a herd.
pub struct Subscribers {
    /// When the run began. The times of events are relative to it.
    pub begun: Instant,
    reader: Reader<Counted>,
}

impl Subscribers {
    /// No subscribers yet. Events of a publisher with numbers below `warm_up` are not measured.
    pub fn new(options: &Options, warm_up: u32) -> Result<Rc<Self>> {
        let begun = Instant::now();
        let counted = Counted {
            begun,
            warm_up,
            tally: Tally::new(),
            expected: vec![Expected::new(options.publishers); options.subscribers],
            in_block: vec![None; options.subscribers],
            ids: ids(options),
        };
        Ok(Rc::new(Self {
            begun,
            reader: Reader::start(counted, options.tick())?,
        }))
    }

    /// Opens a stream with a number below `--subscribers`, and reads it until the server ends it. Returns when the
    /// server has accepted it.
    pub async fn add(&self, number: usize, url: &Url, address: SocketAddr) -> Result<()> {
        let stream = request_stream(url, address, None).await?;
        self.reader.add(number, stream).await
    }

    /// How many bytes all streams have received.
    pub fn bytes(&self) -> u64 {
        self.reader.bytes()
    }

    /// How often all streams were read.
    pub fn ticks(&self) -> u64 {
        self.reader.ticks()
    }

    /// What the streams have received. Reading stops while the guard exists.
    pub fn received(&self) -> MutexGuard<'_, Counted> {
        self.reader.receiver()
    }
}

/// Checks the order of the events of each stream, and counts them.
pub struct Counted {
    begun: Instant,
    warm_up: u32,
    /// The counts of all streams together.
    pub tally: Tally,
    /// What each stream expects next.
    expected: Vec<Expected>,
    /// The event of the load in the block that each stream is in. The hub writes an event's id after its data.
    in_block: Vec<Option<Event>>,
    /// Checks the ids of each stream of several channels. Empty if the streams have one channel.
    ids: Vec<CombinedIds>,
}

/// The checks of the ids of all streams, if they have several channels.
fn ids(options: &Options) -> Vec<CombinedIds> {
    if options.channels_per_stream == 1 {
        return Vec::new();
    }
    vec![CombinedIds::new(names(options)); options.subscribers]
}

impl Receiver for Counted {
    fn line(&mut self, stream: usize, line: &[u8], now: Instant) {
        if let Some(event) = field(line, "data:").and_then(Event::read) {
            self.in_block[stream] = Some(event);
            self.event(stream, event, now);
        } else if let Some(id) = field(line, "id:") {
            let event = self.in_block[stream].take();
            self.id(stream, id, event);
        } else if line.is_empty() {
            self.in_block[stream] = None;
        }
    }

    fn ended(&mut self) {
        self.tally.ended += 1;
    }
}

impl Counted {
    fn event(&mut self, stream: usize, event: Event, now: Instant) {
        if self.expected[stream].in_order(event) {
            let now = now.saturating_duration_since(self.begun);
            self.tally.arrived(event, now, event.number >= self.warm_up);
        } else {
            self.tally.out_of_order += 1;
        }
    }

    /// Counts an id, and checks it if it is a combined one. `event` is the event of the load that it belongs to.
    fn id(&mut self, stream: usize, id: &[u8], event: Option<Event>) {
        if event.is_some_and(|event| event.number >= self.warm_up) {
            self.tally.ids += 1;
            self.tally.id_bytes += id.len() as u64;
        }
        if let Some(ids) = self.ids.get_mut(stream)
            && !ids.is_next(id, event)
        {
            self.tally.wrong_ids += 1;
        }
    }
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
