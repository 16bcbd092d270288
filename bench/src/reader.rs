//! A thread that reads many streams in ticks: it sleeps, drains every socket that has bytes, and sleeps again.
//!
//! The reader and the server are on one machine. If the reader waited for each write, the server's system call would
//! have to wake it, and the server would pay for that. How much it pays depends on the processor, and a server that
//! writes each event by itself pays most. A client behind a network causes no such cost. A reader that sleeps between
//! ticks does not wait for writes, so it causes no such cost either.

use std::io::{ErrorKind, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tokio::sync::oneshot;

use crate::stream::EventReader;

/// How many bytes are read at once: more than a stream that keeps up receives in a tick.
pub const READ: usize = 256 * 1024;

/// How many sockets are taken from the operating system at once.
const SOCKETS: usize = 1_024;

/// A tick lasts this many times as long as reading took, if that is longer than the shortest tick. So a reader that has
/// much to read reads more at once instead of taking the processor from the server.
const REST: u32 = 4;

/// The longest tick, unless reading alone takes longer. Then the generator is too slow for the load, and its CPU time
/// shows it.
const LONGEST: Duration = Duration::from_millis(10);

/// How long the server may take to accept a stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes the contents of streams. All streams of a reader share one receiver.
pub trait Receiver: Send + 'static {
    /// Processes a line of the stream with the number `stream`, which was read at `now`.
    fn line(&mut self, stream: usize, line: &[u8], now: Instant);

    /// The server has ended a stream that it had accepted.
    fn ended(&mut self);
}

/// A thread that reads streams. It ends when this is dropped, and closes its streams.
pub struct Reader<R> {
    receiver: Arc<Mutex<R>>,
    ticks: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    streams: mpsc::Sender<Opening>,
}

/// A stream whose request was sent.
struct Opening {
    number: usize,
    stream: std::net::TcpStream,
    /// Told when the server has accepted or refused the stream.
    opened: oneshot::Sender<Result<()>>,
}

impl<R: Receiver> Reader<R> {
    /// Starts a thread that reads once in every `tick`, or less often if there is much to read.
    pub fn start(receiver: R, tick: Duration) -> Result<Self> {
        let receiver = Arc::new(Mutex::new(receiver));
        let (streams, opening) = mpsc::channel();
        let ticks = Arc::new(AtomicU64::new(0));
        let bytes = Arc::new(AtomicU64::new(0));
        let mut thread = Thread {
            ticks: ticks.clone(),
            bytes: bytes.clone(),
            poll: Poll::new()?,
            opening,
            receiver: receiver.clone(),
            streams: Vec::new(),
            buffer: vec![0; READ],
        };
        std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || thread.run(tick))?;
        Ok(Self {
            receiver,
            ticks,
            bytes,
            streams,
        })
    }

    /// How often all streams were read.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// How many bytes were read from all streams, with the heads of the responses and the framing of chunks.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What the streams have received. Reading stops while the guard exists.
    pub fn receiver(&self) -> MutexGuard<'_, R> {
        self.receiver.lock().expect("the reader has not panicked")
    }

    /// Reads a stream whose request was sent, until the server ends it. Returns when the server has accepted it.
    pub async fn add(&self, number: usize, stream: tokio::net::TcpStream) -> Result<()> {
        let (opened, accepted) = oneshot::channel();
        let opening = Opening {
            number,
            stream: stream.into_std()?,
            opened,
        };
        self.streams
            .send(opening)
            .map_err(|_| anyhow!("the reader has ended"))?;
        tokio::time::timeout(PATIENCE, accepted)
            .await
            .context("the server did not answer a subscriber")?
            .context("the reader has ended")?
    }
}

/// The state of the thread.
struct Thread<R> {
    ticks: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    poll: Poll,
    opening: mpsc::Receiver<Opening>,
    receiver: Arc<Mutex<R>>,
    /// The streams in the order of their tokens. `None` for a stream that has ended.
    streams: Vec<Option<Stream>>,
    /// The buffer into which all streams read, one after the other.
    buffer: Vec<u8>,
}

impl<R: Receiver> Thread<R> {
    fn run(&mut self, tick: Duration) {
        let mut sockets = Events::with_capacity(SOCKETS);
        loop {
            let begun = Instant::now();
            if self.accept() == Owner::Gone {
                return;
            }
            while self.drain_ready(&mut sockets) == SOCKETS {}
            self.ticks.fetch_add(1, Ordering::Relaxed);
            let took = begun.elapsed();
            std::thread::sleep(pause(tick, took));
        }
    }

    /// Takes over the streams that were added.
    fn accept(&mut self) -> Owner {
        loop {
            match self.opening.try_recv() {
                Ok(opening) => self.register(opening),
                Err(TryRecvError::Empty) => return Owner::Waiting,
                Err(TryRecvError::Disconnected) => return Owner::Gone,
            }
        }
    }

    fn register(&mut self, opening: Opening) {
        let mut socket = TcpStream::from_std(opening.stream);
        let token = Token(self.streams.len());
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut socket, token, Interest::READABLE) {
            let _ = opening.opened.send(Err(error.into()));
            return;
        }
        self.streams.push(Some(Stream {
            number: opening.number,
            socket,
            events: EventReader::default(),
            opened: Some(opening.opened),
        }));
    }

    /// Drains the sockets that have bytes now, without waiting. Returns how many sockets there were.
    fn drain_ready(&mut self, sockets: &mut Events) -> usize {
        match self.poll.poll(sockets, Some(Duration::ZERO)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
            Err(error) => panic!("the sockets cannot be polled: {error}"),
        }
        let mut receiver = self.receiver.lock().expect("no user of the lock panics");
        for socket in sockets.iter() {
            let slot = self.streams.get_mut(socket.token().0);
            let Some(slot) = slot else { continue };
            let Some(stream) = slot else { continue };
            if let Err(error) = stream.drain(socket, &mut self.buffer, &self.bytes, &mut *receiver)
            {
                let opened = stream.opened.take();
                *slot = None;
                match opened {
                    Some(opened) => drop(opened.send(Err(error))),
                    None => receiver.ended(),
                }
            }
        }
        sockets.iter().count()
    }
}

/// How long to sleep after reading took so long. `tick` is the shortest tick.
fn pause(tick: Duration, took: Duration) -> Duration {
    let length = (took * REST).clamp(tick, LONGEST.max(tick));
    length.saturating_sub(took)
}

/// Whether the owner of a reader still needs it.
#[derive(PartialEq, Eq)]
enum Owner {
    Waiting,
    Gone,
}

/// A stream that is being read.
struct Stream {
    number: usize,
    socket: TcpStream,
    events: EventReader,
    /// `None` if the server has accepted the stream.
    opened: Option<oneshot::Sender<Result<()>>>,
}

impl Stream {
    /// Reads until nothing is left. Fails at the end of the stream.
    fn drain(
        &mut self,
        ready: &Event,
        buffer: &mut [u8],
        read: &AtomicU64,
        receiver: &mut impl Receiver,
    ) -> Result<()> {
        loop {
            let length = match self.socket.read(buffer) {
                Ok(0) => return Err(anyhow!("the server ended the stream")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::from(error)),
            };
            read.fetch_add(length as u64, Ordering::Relaxed);
            let (number, now) = (self.number, Instant::now());
            let bytes = &buffer[..length];
            self.events
                .read(bytes, |line| receiver.line(number, line, now))?;
            if self.events.is_open()
                && let Some(opened) = self.opened.take()
            {
                let _ = opened.send(Ok(()));
            }
            // A read that does not fill the buffer has taken everything, except the end of the stream.
            if length < buffer.len() && !ready.is_read_closed() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
