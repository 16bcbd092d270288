//! The network between an object and a Worker. Each wire is one feed, and delivers its messages in order, at any later
//! time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::feed::{FeedMessage, FrameHeader};
use crate::{Chunk, Stream};

/// The close code of a connection that broke.
pub const BROKEN: u16 = 1006;

/// What is on its way to the Worker.
#[derive(Clone, Debug)]
pub enum ToWorker {
    Frame(FrameHeader, Vec<u8>),
    Pong,
    Closed(u16),
}

/// What is on its way to the object.
#[derive(Clone, Debug)]
pub enum ToObject {
    Message(FeedMessage),
    Ping,
    Closed,
}

#[derive(Debug, Default)]
struct Queues {
    to_worker: VecDeque<ToWorker>,
    to_object: VecDeque<ToObject>,
    /// Whether anything that is sent from now on is lost.
    is_broken: bool,
    /// Whether the object has closed the feed.
    is_closed: bool,
}

/// A feed. Clones are the same feed.
#[derive(Clone, Debug, Default)]
pub struct Wire(Rc<RefCell<Queues>>);

impl Stream for Wire {
    /// The window of the feed decides instead.
    fn is_ready(&self) -> bool {
        true
    }
}

impl Wire {
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub fn is_broken(&self) -> bool {
        self.0.borrow().is_broken
    }

    /// Whether the object has closed the feed.
    pub fn is_closed(&self) -> bool {
        self.0.borrow().is_closed
    }

    /// Breaks the feed: what is on its way is lost. Both ends notice that later.
    pub fn break_off(&self) {
        let mut queues = self.0.borrow_mut();
        if !queues.is_broken {
            queues.is_broken = true;
            queues.to_worker = VecDeque::from([ToWorker::Closed(BROKEN)]);
            queues.to_object = VecDeque::from([ToObject::Closed]);
        }
    }

    /// The object sends a frame.
    pub fn send(&self, chunk: &Chunk) {
        let mut queues = self.0.borrow_mut();
        if !queues.is_broken {
            let frame = ToWorker::Frame(chunk.header, chunk.bytes.clone());
            queues.to_worker.push_back(frame);
        }
    }

    /// The object closes the feed.
    pub fn close(&self, code: u16) {
        let mut queues = self.0.borrow_mut();
        queues.is_closed = true;
        if !queues.is_broken {
            queues.to_worker.push_back(ToWorker::Closed(code));
            queues.to_object.clear();
        }
    }

    /// The Worker sends a message.
    pub fn send_to_object(&self, message: ToObject) {
        let mut queues = self.0.borrow_mut();
        if !queues.is_broken && !queues.is_closed {
            queues.to_object.push_back(message);
        }
    }

    /// The Worker leaves the feed.
    pub fn leave(&self) {
        self.send_to_object(ToObject::Closed);
        self.0.borrow_mut().to_worker.clear();
    }

    pub fn next_for_worker(&self) -> Option<ToWorker> {
        self.0.borrow_mut().to_worker.pop_front()
    }

    /// Returns the next message for the object. The runtime answers pings.
    pub fn next_for_object(&self) -> Option<ToObject> {
        let mut queues = self.0.borrow_mut();
        loop {
            match queues.to_object.pop_front()? {
                ToObject::Ping => queues.to_worker.push_back(ToWorker::Pong),
                message => return Some(message),
            }
        }
    }

    pub fn is_idle(&self) -> bool {
        let queues = self.0.borrow();
        queues.to_worker.is_empty() && queues.to_object.is_empty()
    }
}
