//! Waits until the object of a channel may be opened. Only `npm run serve` limits how many objects are open.

use std::time::Duration;

use worker::Delay;

use crate::http::problem::Problem;
use crate::isolate::clock::now;
use crate::isolate::opening::{self, Decision, Waiting};
use sse_hub::Millis;

/// How often a call that waits asks again.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// A call that has passed the gate.
pub struct Passed {
    /// When this call began to open the object, if it opens the object.
    opening_since: Option<Millis>,
}

/// Waits until the object of `channel` may be called, if at most `max_open` objects may be open. Returns `None` if
/// there is no limit. Fails with [`Problem::TooManyOpenChannels`], or if the client `has_left`.
pub async fn pass(
    channel: &str,
    max_open: Option<usize>,
    has_left: impl Fn() -> bool,
) -> Result<Option<Passed>, Problem> {
    let Some(max_open) = max_open else {
        return Ok(None);
    };
    let arrived = now();
    let mut waiting = None;
    loop {
        let now = now();
        match opening::decide(channel, max_open, arrived, now) {
            Decision::Call { opens } => {
                let opening_since = opens.then_some(now);
                return Ok(Some(Passed { opening_since }));
            }
            Decision::Refuse => return Err(Problem::TooManyOpenChannels { max: max_open }),
            Decision::Wait => {
                waiting.get_or_insert_with(|| Waiting::begin(arrived));
                Delay::from(ASK_AGAIN).await;
                // Do not open an object for a client that has disconnected.
                if has_left() {
                    return Err(Problem::ChannelUnavailable);
                }
            }
        }
    }
}

/// Reports the end of a call that has passed the gate.
pub fn leave(channel: &str, passed: Option<Passed>) {
    if let Some(Passed { opening_since }) = passed {
        opening::called(channel, opening_since, now());
    }
}
