//! Feeds: streams that a Worker holds instead of the channel's object.
//!
//! A feed is a WebSocket from the object to the Worker that answers a client. The hub treats it like any other stream,
//! with one difference: a response is ready when the runtime has taken its last chunk, but a feed is ready while its
//! [`Window`] is open. The Worker passes the bytes on to its client, and acknowledges them.
//!
//! - `frame`: what the object sends
//! - `message`: what the Worker sends
//! - `close`: why the object closes a feed
//! - `window`: how much the object may send before the Worker acknowledges it

mod close;
mod frame;
mod message;
mod window;

pub use self::close::FeedClose;
pub use self::frame::{FRAME_HEADER_BYTES, FrameHeader};
pub use self::message::FeedMessage;
pub use self::window::{ACKNOWLEDGE_BYTES, WINDOW_BYTES, Window};
