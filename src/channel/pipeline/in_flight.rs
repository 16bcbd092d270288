//! The idempotency keys of publishes that have no receipt yet.

use std::collections::HashMap;

use futures_channel::oneshot;

use super::{Outcome, PublishKey};
use crate::channel::storage::idempotency::Fingerprint;
use crate::http::problem::Problem;

/// A publish in flight.
#[derive(Debug)]
struct InFlight {
    fingerprint: Fingerprint,
    /// Where the outcome is sent: to the clients that have repeated the publish.
    repeats: Vec<oneshot::Sender<Outcome>>,
}

/// The publishes in flight that have a key.
#[derive(Debug, Default)]
pub(super) struct InFlightKeys(HashMap<String, InFlight>);

impl InFlightKeys {
    /// Notes that a publish is in flight.
    pub fn begin(&mut self, key: &PublishKey) {
        let in_flight = InFlight {
            fingerprint: key.fingerprint,
            repeats: Vec::new(),
        };
        let earlier = self.0.insert(key.key.clone(), in_flight);
        debug_assert!(
            earlier.is_none(),
            "repeats wait for the first publish instead"
        );
    }

    /// Returns a receiver of the outcome of the publish in flight with this key, or `None` if there is none. Fails with
    /// [`Problem::IdempotencyKeyReused`] if that publish has other events.
    pub fn repeat(
        &mut self,
        key: &str,
        fingerprint: &Fingerprint,
    ) -> Result<Option<oneshot::Receiver<Outcome>>, Problem> {
        let Some(first) = self.0.get_mut(key) else {
            return Ok(None);
        };
        if first.fingerprint != *fingerprint {
            return Err(Problem::IdempotencyKeyReused);
        }
        let (repeat, outcome) = oneshot::channel();
        first.repeats.push(repeat);
        Ok(Some(outcome))
    }

    /// Notes that the publish with this key has its outcome. Returns the senders to the clients that have repeated it.
    pub fn complete(&mut self, key: &str) -> Vec<oneshot::Sender<Outcome>> {
        let in_flight = self.0.remove(key);
        in_flight.map_or_else(Vec::new, |in_flight| in_flight.repeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sse_hub::sse::Batch;

    fn key(key: &str, data: &str) -> PublishKey {
        let batch = Batch::from_wire(format!("data: {data}\n\n"));
        PublishKey::new(key.to_owned(), &batch, false)
    }

    #[test]
    fn repeats_of_a_publish_in_flight_get_its_outcome() {
        let mut keys = InFlightKeys::default();
        let first = key("a", "1");
        assert!(keys.repeat("a", &first.fingerprint).unwrap().is_none());
        keys.begin(&first);
        let mut repeats = [1, 2].map(|_| keys.repeat("a", &first.fingerprint).unwrap().unwrap());
        for sender in keys.complete("a") {
            sender.send(Ok("{}".to_owned())).unwrap();
        }
        for repeat in &mut repeats {
            assert_eq!(repeat.try_recv(), Ok(Some(Ok("{}".to_owned()))));
        }
        assert!(keys.repeat("a", &first.fingerprint).unwrap().is_none());
        assert!(keys.complete("a").is_empty());
    }

    #[test]
    fn a_key_in_flight_is_refused_for_other_events() {
        let mut keys = InFlightKeys::default();
        keys.begin(&key("a", "1"));
        let other = key("a", "2").fingerprint;
        assert_eq!(
            keys.repeat("a", &other).unwrap_err(),
            Problem::IdempotencyKeyReused
        );
        assert!(keys.repeat("b", &other).unwrap().is_none());
    }
}
