//! Waits until the channel's object may be opened. Only `npm run serve` limits how many objects are open.

use std::time::Duration;

use worker::Delay;

use super::authorized::Authorized;
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

impl Authorized<'_> {
    /// Waits until the object may be called. Returns `None` if there is no limit. Fails with
    /// [`Problem::TooManyOpenChannels`].
    pub(super) async fn pass_gate(&self) -> Result<Option<Passed>, Problem> {
        let Some(max_open) = self.request.settings.max_open_channels else {
            return Ok(None);
        };
        let arrived = now();
        let mut waiting = None;
        loop {
            let now = now();
            match opening::decide(&self.request.channel, max_open, arrived, now) {
                Decision::Call { opens } => {
                    let opening_since = opens.then_some(now);
                    return Ok(Some(Passed { opening_since }));
                }
                Decision::Refuse => return Err(Problem::TooManyOpenChannels { max: max_open }),
                Decision::Wait => {
                    waiting.get_or_insert_with(|| Waiting::begin(arrived));
                    Delay::from(ASK_AGAIN).await;
                    // Do not open an object for a client that has disconnected.
                    if self.request.request.signal().aborted() {
                        return Err(Problem::ChannelUnavailable);
                    }
                }
            }
        }
    }

    /// Reports the end of a call that has passed the gate.
    pub(super) fn leave_gate(&self, passed: Option<Passed>) {
        if let Some(Passed { opening_since }) = passed {
            opening::called(&self.request.channel, opening_since, now());
        }
    }
}
