//! Ends the streams of a channel because the server stops.

use super::memory;
use super::shared::Shared;
use crate::isolate::random::random_between;
use sse_hub::Hub;
use sse_hub::held::RETRY_MS;

/// The ids of the channels of this instance that have open streams.
pub fn channels_with_streams() -> Vec<String> {
    let has_streams = |shared: &Shared| {
        let subscribers = shared.with(|state| state.hub.subscribers());
        subscribers.is_some_and(|subscribers| subscribers > 0)
    };
    memory::channels()
        .iter()
        .filter(|shared| has_streams(shared))
        .map(|shared| shared.id().to_owned())
        .collect()
}

impl Shared {
    /// Ends all streams after those that keep up have been given the events in the log. Each stream has a random time
    /// after which its client reconnects, so that the clients do not all reconnect at the same time.
    pub(super) async fn shut_down(&self) {
        self.let_streams_keep_up(Hub::readiness_to_empty).await;
        let (least, most) = RETRY_MS;
        let output = self.with(|state| state.hub.shut_down(|| random_between(least, most)));
        if let Some(output) = output {
            self.perform(output);
        }
        self.set_timer();
    }
}
