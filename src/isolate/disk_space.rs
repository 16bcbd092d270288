//! Whether the storage of all channels takes more data.
//!
//! If a commit fails, the runtime resets the object, and all its streams are cut. So once a commit has failed because
//! there is no space, the Worker holds publishes back before they reach an object, until a test file could be written.
//! At that moment it also removes the reserve file, because SQLite needs some space even to open a database that is
//! only read.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use worker::{Delay, Env};

use crate::isolate::clock::now;
use crate::isolate::disk::{Disk, Room};
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};
use sse_hub::Millis;

/// The pause between two tests of the storage, in milliseconds.
const TEST_PAUSE: Millis = 100;

/// How often a publish that waits checks whether the test of another publish has ended.
const CHECK_AGAIN: Duration = Duration::from_millis(20);

/// A test that takes longer counts as lost, in milliseconds. Its request was probably cut off.
const TEST_LOST: Millis = 5_000;

/// A storage that is full.
#[derive(Debug)]
struct Full {
    reason: String,
    /// The size of the largest publish that failed.
    bytes: u64,
    is_reserve_released: bool,
    /// When the running test began.
    testing_since: Option<Millis>,
    /// When the last test that failed began, and when it ended.
    failed_test: Option<(Millis, Millis)>,
}

/// What a publish does next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NextStep {
    /// The storage takes data.
    Publish,
    /// A test that began after this publish arrived has failed, for this reason.
    Refuse(String),
    /// Test whether this number of bytes can be written.
    Test(u64),
    /// Another publish is testing, or has just tested.
    Wait,
}

/// Whether the storage takes data, as far as this instance knows.
#[derive(Debug, Default)]
struct Space {
    full: Option<Full>,
}

impl Space {
    /// Notes that `bytes` could not be stored. Returns whether that is new.
    fn set_full(&mut self, reason: &str, bytes: u64) -> bool {
        match &mut self.full {
            Some(full) => {
                full.bytes = full.bytes.max(bytes);
                false
            }
            None => {
                self.full = Some(Full {
                    reason: reason.to_owned(),
                    bytes,
                    is_reserve_released: false,
                    testing_since: None,
                    failed_test: None,
                });
                true
            }
        }
    }

    /// The next step of a publish of `bytes` that arrived at `arrived`. If that is a test, counts it as running.
    fn next_step(&mut self, arrived: Millis, bytes: u64, now: Millis) -> NextStep {
        let Some(full) = &mut self.full else {
            return NextStep::Publish;
        };
        if full.failed_test.is_some_and(|(began, _)| began >= arrived) {
            return NextStep::Refuse(full.reason.clone());
        }
        let is_within = |since: Millis, time| now.saturating_sub(since) < time;
        let is_testing = full
            .testing_since
            .is_some_and(|began| is_within(began, TEST_LOST));
        let has_just_tested = full
            .failed_test
            .is_some_and(|(_, ended)| is_within(ended, TEST_PAUSE));
        if is_testing || has_just_tested {
            return NextStep::Wait;
        }
        full.testing_since = Some(now);
        full.bytes = full.bytes.max(bytes);
        NextStep::Test(full.bytes)
    }

    /// Notes the result of a test that began at `began`.
    fn end_test(&mut self, began: Millis, has_room: bool, now: Millis) {
        if has_room {
            self.full = None;
        } else if let Some(full) = &mut self.full {
            full.testing_since = None;
            full.failed_test = Some((began, now));
        }
    }

    /// Whether the reserve file has to be removed. Returns true once each time the storage gets full.
    fn takes_reserve(&mut self) -> bool {
        let full = self.full.as_mut().filter(|full| !full.is_reserve_released);
        full.map(|full| full.is_reserve_released = true).is_some()
    }
}

thread_local! {
    static SPACE: RefCell<Space> = RefCell::default();
}

/// The last test that was made to explain a failed call.
#[derive(Clone, Copy)]
struct LastTest {
    began: Millis,
    is_running: bool,
    room: Room,
}

thread_local! {
    static LAST_TEST: Cell<LastTest> = const {
        Cell::new(LastTest { began: 0, is_running: false, room: Room::Unknown })
    };
}

/// Notes that `bytes` could not be stored, and why.
pub fn set_full(reason: &str, bytes: u64) {
    if SPACE.with_borrow_mut(|space| space.set_full(reason, bytes)) {
        Level::Error.log(|| Line::new("storage full").error(&reason));
    }
}

/// Whether the storage was full when it was last used or tested.
pub fn is_full() -> bool {
    SPACE.with_borrow(|space| space.full.is_some())
}

/// Waits until it is known whether a publish of `bytes` can be stored. Returns at once if the storage is not full.
pub async fn wait_for_room(env: &Env, bytes: usize) -> Result<(), StorageFailure> {
    if !is_full() {
        return Ok(());
    }
    let Some(disk) = Disk::open(env) else {
        // The files are not accessible, so the only test is a publish.
        SPACE.take();
        return Ok(());
    };
    let arrived = now();
    loop {
        match SPACE.with_borrow_mut(|space| space.next_step(arrived, bytes as u64, now())) {
            NextStep::Publish => return Ok(()),
            NextStep::Refuse(reason) => return Err(StorageFailure::Full(reason)),
            NextStep::Wait => Delay::from(CHECK_AGAIN).await,
            NextStep::Test(bytes) => test(&disk, bytes).await,
        }
    }
}

/// Tests whether a publish of `bytes` can be stored. If not, removes the reserve file.
async fn test(disk: &Disk, bytes: u64) {
    let began = now();
    let has_room = disk.room(bytes).await == Room::Enough;
    if has_room {
        Level::Warn.log(|| Line::new("storage has space again"));
    } else {
        release_reserve(disk).await;
    }
    SPACE.with_borrow_mut(|space| space.end_test(began, has_room, now()));
}

/// Tests the storage like [`Disk::room`], but not for each caller, because a test writes more than a megabyte. A caller
/// that comes while another test runs, or within `TEST_PAUSE` of its start, gets the result of that test, or
/// [`Room::Unknown`] if it has none yet.
pub async fn test_room(disk: &Disk, bytes: u64) -> Room {
    let began = now();
    let last = LAST_TEST.get();
    let age = began.saturating_sub(last.began);
    if last.is_running && age < TEST_LOST {
        return Room::Unknown;
    }
    if !last.is_running && age < TEST_PAUSE {
        return last.room;
    }
    let test = |is_running, room| LastTest {
        began,
        is_running,
        room,
    };
    LAST_TEST.set(test(true, Room::Unknown));
    let room = disk.room(bytes).await;
    LAST_TEST.set(test(false, room));
    room
}

/// Removes the reserve file, if the storage is full and this was not done yet.
pub async fn release_reserve(disk: &Disk) {
    if SPACE.with_borrow_mut(Space::takes_reserve) {
        disk.remove_reserve().await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Space {
        let mut space = Space::default();
        assert!(space.set_full("SQLITE_FULL", 7));
        space
    }

    #[test]
    fn publishes_go_on_while_the_storage_is_not_full() {
        let mut space = Space::default();
        assert_eq!(space.next_step(0, 5, 0), NextStep::Publish);
        assert!(!space.takes_reserve());
    }

    #[test]
    fn one_publish_tests_a_full_storage_for_all() {
        let mut space = full();
        assert_eq!(space.next_step(0, 9, 0), NextStep::Test(9));
        assert_eq!(space.next_step(1, 5, 1), NextStep::Wait);
        space.end_test(0, true, 2);
        assert_eq!(space.next_step(1, 5, 2), NextStep::Publish);
    }

    #[test]
    fn a_failed_test_refuses_the_publishes_that_arrived_before_it() {
        let mut space = full();
        assert!(!space.set_full("other", 20), "it was full before");
        assert_eq!(space.next_step(0, 9, 10), NextStep::Test(20));
        space.end_test(10, false, 15);
        let refused = NextStep::Refuse("SQLITE_FULL".into());
        assert_eq!(space.next_step(10, 5, 16), refused);
        let next = 15 + TEST_PAUSE;
        assert_eq!(space.next_step(11, 5, next - 1), NextStep::Wait);
        assert_eq!(space.next_step(11, 5, next), NextStep::Test(20));
    }

    #[test]
    fn a_test_whose_request_was_cut_off_is_repeated() {
        let mut space = full();
        assert_eq!(space.next_step(0, 7, 0), NextStep::Test(7));
        assert_eq!(space.next_step(1, 7, TEST_LOST - 1), NextStep::Wait);
        assert_eq!(space.next_step(1, 7, TEST_LOST), NextStep::Test(7));
    }

    #[test]
    fn the_reserve_is_removed_once_each_time_the_storage_gets_full() {
        let mut space = full();
        assert!(space.takes_reserve() && !space.takes_reserve());
        space.end_test(0, true, 1);
        space.set_full("SQLITE_FULL", 7);
        assert!(space.takes_reserve());
    }
}
