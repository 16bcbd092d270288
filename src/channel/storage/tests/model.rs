//! Random use of a store, compared with a model that remembers everything.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A group of publishes, with the sizes of their events; the first one may have a key.
    Commit(Vec<usize>, bool),
    /// The same, on a disk that is full.
    CommitWithoutSpace(usize),
    Wait(Millis),
    Restart,
    End(Vec<usize>),
    Delete,
    ClearIfQuiet(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::collection::vec(1..400_usize, 1..6), any::<bool>())
            .prop_map(|(sizes, has_key)| Step::Commit(sizes, has_key)),
        1 => (10_000..50_000_usize).prop_map(Step::CommitWithoutSpace),
        3 => (0..400_u64).prop_map(Step::Wait),
        1 => Just(Step::Wait(2_000)),
        3 => Just(Step::Restart),
        1 => prop::collection::vec(1..400_usize, 0..3).prop_map(Step::End),
        1 => Just(Step::Delete),
        1 => any::<bool>().prop_map(Step::ClearIfQuiet),
    ]
}

/// A row of the history.
struct ModelRow {
    events: Vec<String>,
    bytes: u64,
    time: Millis,
}

/// The rows of the current epoch, and the number of the next event.
#[derive(Default)]
struct Model {
    rows: Vec<ModelRow>,
    keys: Vec<(String, Millis)>,
    next: u64,
    published: u64,
}

impl Model {
    fn commit(&mut self, data: &[String], now: Millis) {
        let bytes = data.iter().map(|data| batch(data).wire.len() as u64).sum();
        let events = data.to_vec();
        self.next += events.len() as u64;
        self.rows.push(ModelRow {
            events,
            bytes,
            time: now,
        });
    }

    /// The newest rows within all limits, and of these the newest events.
    fn held(&self, now: Millis) -> Vec<String> {
        let mut held = Vec::new();
        let mut bytes = 0;
        for row in self.rows.iter().rev() {
            let is_newest = bytes == 0;
            bytes += row.bytes;
            if now - row.time >= HISTORY.age || (bytes > HISTORY.bytes && !is_newest) {
                break;
            }
            held.extend(row.events.iter().rev().cloned());
        }
        held.truncate(usize::try_from(HISTORY.events).unwrap());
        held.reverse();
        held
    }

    /// The keys that are remembered, newest first.
    fn keys(&self, now: Millis) -> Vec<String> {
        let newest = self.keys.iter().rev().take(3);
        let young = newest.filter(|(_, time)| now - time < KEYS.age);
        young.map(|(key, _)| key.clone()).collect()
    }

    fn forget(&mut self) {
        self.rows.clear();
        self.keys.clear();
    }
}

/// Takes one step in the channel and in the model.
fn take(step: Step, channel: &mut Channel, model: &mut Model, now: &mut Millis) {
    match step {
        Step::Commit(sizes, has_key) => {
            let data: Vec<String> = sizes
                .iter()
                .map(|size| {
                    model.published += 1;
                    format!("{}{}", model.published, "x".repeat(*size))
                })
                .collect();
            let texts: Vec<&str> = data.iter().map(String::as_str).collect();
            let mut keys = Vec::new();
            if has_key {
                let key = format!("key {}", model.published);
                keys.push(channel.new_key(&key, *now));
                model.keys.push((key, *now));
            }
            channel.try_commit(&texts, keys, *now).unwrap();
            model.commit(&data, *now);
        }
        Step::CommitWithoutSpace(size) => {
            channel.database.fill_disk();
            let keys = vec![channel.new_key("refused", *now)];
            let refused = channel.try_commit(&[&"x".repeat(size)], keys, *now);
            channel.database.free_disk();
            if refused.is_ok() {
                // Dropped tables have left enough free pages.
                model.keys.push(("refused".to_owned(), *now));
                model.commit(&["x".repeat(size)], *now);
            }
        }
        Step::Wait(wait) => *now += wait,
        Step::Restart => {
            let next = channel.store.next_id();
            channel.restart(*now);
            if channel.database.dump().is_empty() {
                // A channel that has stored nothing begins another epoch.
                assert!(channel.store.next_id().epoch >= next.epoch);
                model.next = 1;
            } else {
                assert_eq!(channel.store.next_id(), next);
            }
        }
        Step::End(sizes) => {
            let data: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
            let texts: Vec<&str> = data.iter().map(String::as_str).collect();
            channel.end(&texts, *now);
            assert!(channel.store.is_ended(*now));
            if !data.is_empty() {
                model.commit(&data, *now);
            }
        }
        Step::Delete => {
            let before = channel.store.next_id().epoch;
            channel.store.delete(epoch(*now)).unwrap();
            assert!(channel.store.next_id().epoch > before);
            assert!(channel.store.is_ended(*now));
            model.forget();
            model.next = 1;
        }
        Step::ClearIfQuiet(has_subscribers) => {
            match channel.store.clear_if_quiet(*now, has_subscribers).unwrap() {
                ClearResult::NotYet(left) => assert!(left > 0),
                ClearResult::Cleared(_) => {
                    assert!(model.held(*now).is_empty() && model.keys(*now).is_empty());
                    model.forget();
                }
                ClearResult::RemoveAll => {
                    assert!(model.held(*now).is_empty() && model.keys(*now).is_empty());
                    model.forget();
                    channel.database.delete_all();
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_store_holds_what_a_model_holds_through_restarts_ends_and_failed_writes(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut channel = Channel::new(HISTORY);
        let mut model = Model { next: 1, ..Model::default() };
        let mut now = START;
        for step in steps {
            take(step, &mut channel, &mut model, &mut now);
            prop_assert_eq!(channel.store.next_id().seq, model.next);
            prop_assert_eq!(channel.held(now), model.held(now));
            let keys = model.keys(now);
            for (key, _) in &model.keys {
                let remembered = channel.store.key_record(key, now).is_some();
                prop_assert_eq!(remembered, keys.contains(key), "{}", key);
            }
        }
    }
}
