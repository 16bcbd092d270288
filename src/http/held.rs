//! Streams that the Worker holds. [`sse_hub::held`] has the rules; this module connects them with the runtime.
//!
//! - `client_stream`: the client's stream, the WebSockets of the feeds and the timer, in JavaScript
//! - `callbacks`: the functions that JavaScript calls, and the streams that they are for
//! - `source`: asks a channel's object for a feed

mod callbacks;
mod client_stream;
mod source;

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ReadableStream, WebSocket};
use worker::Result;

pub use self::client_stream::ClientStream;
pub use self::source::{Answer, Feed, FeedSource};
use crate::http::problem::Problem;
use crate::http::problem::document::Document;
use crate::isolate::clock::now;
use crate::isolate::exclusive::Exclusive;
use crate::isolate::random::random_between;
use sse_hub::held::{Action, FeedAnswer, FeedNumber, HeldChannel, HeldLimits, HeldStream};
use sse_hub::sse::{EventId, Positions};
use sse_hub::{FeedMessage, Millis};

/// A stream that the Worker holds.
struct Held {
    /// The number of the stream in this instance.
    number: u64,
    stream: Exclusive<HeldStream>,
    client: ClientStream,
    sources: Vec<FeedSource>,
    /// The time for which the timer is set.
    timer_at: Cell<Millis>,
}

/// Opens a stream of one channel for a client, to whose request `context` belongs. The feed is open: `socket`, which
/// continues after `start`. Returns the body of the response.
pub fn open_one(
    source: FeedSource,
    socket: WebSocket,
    start: EventId,
    limits: HeldLimits,
    context: &JsValue,
) -> Result<ReadableStream> {
    let unavailable = source.unavailable().to_json();
    let channel = source.channel().to_owned();
    let opening = HeldStream::of_one(&channel, start, unavailable, limits, seed(), now());
    open(vec![source], vec![(0, socket)], opening, context)
}

/// Opens a stream of several channels. `feeds` has what their objects have answered, and `positions` where the stream
/// continues, both in the order of the channels. Returns the body of the response.
pub fn open_several(
    feeds: Vec<(FeedSource, std::result::Result<Feed, Document<'static>>)>,
    positions: Positions,
    limits: HeldLimits,
    context: &JsValue,
) -> Result<ReadableStream> {
    let (mut sources, mut channels, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (source, feed)) in feeds.into_iter().enumerate() {
        channels.push(HeldChannel {
            id: source.channel().to_owned(),
            unavailable: source.unavailable().to_json(),
            answer: match feed {
                Ok(Feed::Opened(socket, start)) => {
                    sockets.push((number, socket));
                    FeedAnswer::Opened(start)
                }
                Ok(Feed::Ended(last)) => FeedAnswer::Ended(last),
                Err(problem) => FeedAnswer::Failed(problem.to_json()),
            },
        });
        sources.push(source);
    }
    let opening = HeldStream::of_several(channels, positions, limits, seed(), now());
    open(sources, sockets, opening, context)
}

fn open(
    sources: Vec<FeedSource>,
    sockets: Vec<(FeedNumber, WebSocket)>,
    (stream, actions): (HeldStream, Vec<Action>),
    context: &JsValue,
) -> Result<ReadableStream> {
    let (number, client) = callbacks::new_client_stream(context)?;
    let body = client.body();
    let held = Rc::new(Held {
        number,
        stream: Exclusive::new(stream),
        client,
        sources,
        timer_at: Cell::new(Millis::MAX),
    });
    callbacks::register(&held);
    for (number, socket) in sockets {
        if let Err(error) = held.client.attach(js(number), &socket) {
            // Without this, the stream would be kept for as long as the instance lives.
            callbacks::unregister(held.number);
            held.client.end();
            return Err(error.into());
        }
    }
    held.perform(actions, None, now());
    Ok(body)
}

fn seed() -> u64 {
    u64::from(random_between(1, u32::MAX))
}

impl Held {
    /// Runs `work` on the rules of the stream, and does what it returns.
    fn change(self: &Rc<Self>, work: impl FnOnce(&mut HeldStream, Millis) -> Vec<Action>) {
        self.change_with_frame(self.client.is_taken(), None, work);
    }

    /// Like [`change`](Self::change), for a frame that has arrived. `is_taken` says whether the client has taken
    /// everything that was written.
    fn change_with_frame(
        self: &Rc<Self>,
        is_taken: bool,
        frame: Option<&ArrayBuffer>,
        work: impl FnOnce(&mut HeldStream, Millis) -> Vec<Action>,
    ) {
        let now = now();
        let actions = self.stream.with(|stream| {
            let mut actions = stream.note_progress(is_taken, now);
            actions.extend(work(stream, now));
            actions
        });
        self.perform(actions.unwrap_or_default(), frame, now);
    }

    fn perform(self: &Rc<Self>, actions: Vec<Action>, frame: Option<&ArrayBuffer>, now: Millis) {
        for action in actions {
            // This fails if the client or the object has gone, which the runtime says in another callback.
            let _ = self.perform_one(action, frame);
        }
        self.set_timer(now);
    }

    fn perform_one(
        self: &Rc<Self>,
        action: Action,
        frame: Option<&ArrayBuffer>,
    ) -> std::result::Result<(), JsValue> {
        match action {
            Action::PassOn => frame.map_or(Ok(()), |frame| self.client.pass_on(frame)),
            Action::Write(bytes) => self.client.write(&Uint8Array::from(bytes.as_slice())),
            Action::Send(feed, message) => self.client.send(js(feed), &message.to_string()),
            Action::Ping(feed) => self.client.send(js(feed), FeedMessage::PING),
            Action::Close(feed) => {
                self.client.close_feed(js(feed));
                Ok(())
            }
            Action::Open(feed, position) => {
                let held = self.clone();
                spawn_local(async move {
                    let Some(source) = held.sources.get(feed) else {
                        return;
                    };
                    let answer = source.ask_again(position).await;
                    held.note_answer(feed, answer);
                });
                Ok(())
            }
            Action::End => {
                callbacks::unregister(self.number);
                self.client.end();
                Ok(())
            }
        }
    }

    fn note_answer(
        self: &Rc<Self>,
        number: FeedNumber,
        answer: std::result::Result<Feed, Document<'static>>,
    ) {
        let is_expected = self.stream.with(|stream| stream.expects_answer(number));
        let answer = match answer {
            Ok(feed) if is_expected != Some(true) => {
                // The client has gone meanwhile, or the answer comes too late.
                feed.discard();
                return;
            }
            Ok(Feed::Opened(socket, start)) => match self.client.attach(js(number), &socket) {
                Ok(()) => FeedAnswer::Opened(start),
                Err(_) => FeedAnswer::Failed(Problem::ChannelUnavailable.to_json()),
            },
            Ok(Feed::Ended(last)) => FeedAnswer::Ended(last),
            Err(problem) => FeedAnswer::Failed(problem.to_json()),
        };
        self.change(|stream, now| stream.note_answer(number, answer, now));
    }

    /// Sets the timer for what is due next. A timeout that is set for an earlier time stays: its callback sets the next
    /// one.
    fn set_timer(&self, now: Millis) {
        let next = self
            .stream
            .with(|stream| (!stream.has_ended()).then(|| stream.next_tick(now)));
        let Some(at) = next.flatten().filter(|at| *at < self.timer_at.get()) else {
            return;
        };
        self.timer_at.set(at);
        let delay = at.saturating_sub(now);
        self.client.set_timer(
            u32::try_from(delay)
                .unwrap_or(i32::MAX as u32)
                .min(i32::MAX as u32),
        );
    }
}

/// The number of a feed for JavaScript. It is at most the number of channels of a stream.
fn js(feed: FeedNumber) -> u32 {
    u32::try_from(feed).unwrap_or(u32::MAX)
}
