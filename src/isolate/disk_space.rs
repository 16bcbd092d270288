//! Whether the storage of all channels takes more data.
//!
//! If a commit fails, the runtime resets the object, and all its streams are cut. So once a commit has failed because there
//! is no space, the Worker holds publishes back before they reach an object, until a test file could be written. At that
//! moment it also removes the reserve file, because SQLite needs some space even to open a database that is only read.

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

/// The state of a storage that is full.
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

thread_local! {
    /// `None` if the storage takes data.
    static FULL: RefCell<Option<Full>> = const { RefCell::new(None) };
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

/// What a publish does next while the storage may be full.
enum Decision {
    /// The storage takes data again: publish.
    Publish,
    /// A test that began after this publish arrived has failed, for this reason.
    Refuse(String),
    /// Test whether this number of bytes can be written.
    Test(u64),
    /// Another publish is testing, or has just tested.
    Wait,
}

/// Notes that `bytes` could not be stored, and why.
pub fn set_full(reason: &str, bytes: u64) {
    FULL.with_borrow_mut(|state| match state {
        Some(full) => full.bytes = full.bytes.max(bytes),
        None => {
            Level::Error.log(|| Line::new("storage full").error(&reason));
            *state = Some(Full {
                reason: reason.to_owned(),
                bytes,
                is_reserve_released: false,
                testing_since: None,
                failed_test: None,
            });
        }
    });
}

/// Whether the storage was full when it was last used or tested.
pub fn is_full() -> bool {
    FULL.with_borrow(Option::is_some)
}

/// Waits until it is known whether a publish of `bytes` can be stored. Returns at once if the storage is not full.
pub async fn wait_for_room(env: &Env, bytes: usize) -> Result<(), StorageFailure> {
    if !is_full() {
        return Ok(());
    }
    let Some(disk) = Disk::open(env) else {
        // Without access to the files, the only test is to store something.
        FULL.set(None);
        return Ok(());
    };
    let arrived = now();
    loop {
        match decide(arrived, bytes as u64) {
            Decision::Publish => return Ok(()),
            Decision::Refuse(reason) => return Err(StorageFailure::Full(reason)),
            Decision::Wait => Delay::from(CHECK_AGAIN).await,
            Decision::Test(bytes) => {
                let began = now();
                let has_room = disk.room(bytes).await == Room::Enough;
                if !has_room {
                    release_reserve(&disk).await;
                }
                end_test(began, has_room);
            }
        }
    }
}

/// Decides for a publish of `bytes` that arrived at `arrived`. If it has to test, notes that a test is running.
fn decide(arrived: Millis, bytes: u64) -> Decision {
    FULL.with_borrow_mut(|state| {
        let Some(full) = state else {
            return Decision::Publish;
        };
        if full.failed_test.is_some_and(|(began, _)| began >= arrived) {
            return Decision::Refuse(full.reason.clone());
        }
        let now = now();
        let is_within = |since: Millis, time| now.saturating_sub(since) < time;
        let is_testing = full
            .testing_since
            .is_some_and(|began| is_within(began, TEST_LOST));
        let has_just_tested = full
            .failed_test
            .is_some_and(|(_, ended)| is_within(ended, TEST_PAUSE));
        if is_testing || has_just_tested {
            return Decision::Wait;
        }
        full.testing_since = Some(now);
        full.bytes = full.bytes.max(bytes);
        Decision::Test(full.bytes)
    })
}

fn end_test(began: Millis, has_room: bool) {
    FULL.with_borrow_mut(|state| {
        if has_room {
            Level::Warn.log(|| Line::new("storage has space again"));
            *state = None;
        } else if let Some(full) = state {
            full.testing_since = None;
            full.failed_test = Some((began, now()));
        }
    });
}

/// Tests the storage like [`Disk::room`], but not for each caller, because a test writes more than a megabyte. A caller that
/// comes while another test runs, or within [`TEST_PAUSE`] of its start, gets the result of that test, or
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
    let release = FULL.with_borrow_mut(|state| {
        let full = state.as_mut().filter(|full| !full.is_reserve_released);
        full.map(|full| full.is_reserve_released = true).is_some()
    });
    if release {
        disk.remove_reserve().await.ok();
    }
}
