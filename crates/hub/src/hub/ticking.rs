//! Counts the streams that the hub looks after in regular ticks although they are level. While there is none, and no
//! stream is behind, the object may sleep.

use crate::subscriber::Subscriber;

/// The numbers of streams.
#[derive(Debug, Default)]
pub struct Ticking {
    /// The streams that need regular ticks.
    ticking: usize,
    responses: usize,
}

impl Ticking {
    /// Whether any stream needs regular ticks.
    pub fn any(&self) -> bool {
        self.ticking > 0
    }

    /// The number of streams that are responses.
    pub fn responses(&self) -> usize {
        self.responses
    }

    fn shares<S>(subscriber: &Subscriber<S>) -> [usize; 2] {
        [subscriber.needs_ticks(), subscriber.is_response()].map(usize::from)
    }

    /// Counts a stream that has joined.
    pub fn add<S>(&mut self, subscriber: &Subscriber<S>) {
        let [ticking, responses] = Self::shares(subscriber);
        self.ticking = self.ticking.saturating_add(ticking);
        self.responses = self.responses.saturating_add(responses);
    }

    /// Stops counting a stream that has left.
    pub fn remove<S>(&mut self, subscriber: &Subscriber<S>) {
        let [ticking, responses] = Self::shares(subscriber);
        self.ticking = self.ticking.saturating_sub(ticking);
        self.responses = self.responses.saturating_sub(responses);
    }

    /// Changes a stream, which may need ticks after that, or need none any more.
    pub fn track<S, R>(
        &mut self,
        subscriber: &mut Subscriber<S>,
        change: impl FnOnce(&mut Subscriber<S>) -> R,
    ) -> R {
        self.remove(subscriber);
        let result = change(subscriber);
        self.add(subscriber);
        result
    }
}
