//! The storage of all channels together: whether it takes data, and the files of a channel.
//!
//! A commit that fails makes the runtime reset the object, which cuts all its streams. So once a commit has failed for want
//! of space, publishes are held back before they reach an object, until a test file could be written. A reserve file on the
//! disk is removed at that moment: opening a database takes some space, too, even if it is only read.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use worker::{Delay, Env, Fetcher, Method, RequestInit};

use crate::http::problem::Problem;
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};
use sse_hub::Millis;

/// The binding of the service in `scripts/storage.mjs`, which only `npm run serve` has.
const BINDING: &str = "STORAGE";

/// How much space there has to be beyond twice what is to be published: new databases and their indexes take some.
const MARGIN_BYTES: u64 = 256 << 10;

/// The pause between two tests of the storage, in milliseconds.
const TEST_PAUSE: Millis = 100;

/// How often a publish that waits looks whether somebody else's test has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A test that takes longer counts as lost, because its request was cut off.
const TEST_LOST: Millis = 5_000;

/// The state of a storage that is full.
struct Full {
    reason: String,
    /// The largest publish that failed.
    bytes: u64,
    /// Whether the reserve was released.
    released: bool,
    /// When the test that is under way began.
    testing: Option<Millis>,
    /// When the last test that failed began, and when it ended.
    tested: Option<(Millis, Millis)>,
}

thread_local! {
    static FULL: RefCell<Option<Full>> = const { RefCell::new(None) };
}

/// The last test that was made to find out why an object could not be called.
#[derive(Clone, Copy)]
struct LastTest {
    began: Millis,
    runs: bool,
    room: Room,
}

thread_local! {
    static LAST_TEST: Cell<LastTest> = const {
        Cell::new(LastTest { began: 0, runs: false, room: Room::Unknown })
    };
}

/// What a publish that finds the storage full does next.
enum Turn {
    /// The storage is not full any more.
    Go,
    /// A test that began after this publish came has failed.
    Refused(String),
    /// Test whether so many bytes can be written.
    Test(u64),
    /// Somebody else is testing, or has just tested.
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
                released: false,
                testing: None,
                tested: None,
            });
        }
    });
}

/// Whether the storage was full when it was last used or tested.
pub fn is_full() -> bool {
    FULL.with_borrow(Option::is_some)
}

/// Waits until it is known whether a publish of `bytes` can be stored. Fails with [`Problem::StorageFailed`].
pub async fn admit(env: &Env, bytes: usize) -> Result<(), Problem> {
    if !is_full() {
        return Ok(());
    }
    let Some(files) = Disk::open(env) else {
        // There is no way to test the storage but to use it.
        FULL.set(None);
        return Ok(());
    };
    let came = now();
    loop {
        match turn(came, bytes as u64) {
            Turn::Go => return Ok(()),
            Turn::Refused(reason) => {
                return Err(Problem::StorageFailed(StorageFailure::Full(reason)));
            }
            Turn::Wait => Delay::from(LOOK_AGAIN).await,
            Turn::Test(bytes) => {
                let began = now();
                let has_room = files.room(bytes).await == Room::Enough;
                if !has_room {
                    release_reserve(&files).await;
                }
                end_test(began, has_room);
            }
        }
    }
}

fn turn(came: Millis, bytes: u64) -> Turn {
    FULL.with_borrow_mut(|state| {
        let Some(full) = state else { return Turn::Go };
        if full.tested.is_some_and(|(began, _)| began >= came) {
            return Turn::Refused(full.reason.clone());
        }
        let now = now();
        let passed = |since: Millis, time| now.saturating_sub(since) >= time;
        let testing = full.testing.is_some_and(|began| !passed(began, TEST_LOST));
        if testing
            || full
                .tested
                .is_some_and(|(_, ended)| !passed(ended, TEST_PAUSE))
        {
            return Turn::Wait;
        }
        full.testing = Some(now);
        full.bytes = full.bytes.max(bytes);
        Turn::Test(full.bytes)
    })
}

fn end_test(began: Millis, has_room: bool) {
    FULL.with_borrow_mut(|state| {
        if has_room {
            Level::Warn.log(|| Line::new("storage has space again"));
            *state = None;
        } else if let Some(full) = state {
            full.testing = None;
            full.tested = Some((began, now()));
        }
    });
}

/// Tests the storage like [`Disk::room`], but not for everybody who asks: a test writes more than a megabyte. Who comes while
/// another test runs, or within [`TEST_PAUSE`] of its end, gets its result, or [`Room::Unknown`] where it has none yet.
pub async fn test_room(disk: &Disk, bytes: u64) -> Room {
    let now = now();
    let last = LAST_TEST.get();
    if now.saturating_sub(last.began) < TEST_PAUSE
        || (last.runs && now.saturating_sub(last.began) < TEST_LOST)
    {
        return if last.runs { Room::Unknown } else { last.room };
    }
    LAST_TEST.set(LastTest {
        began: now,
        runs: true,
        room: Room::Unknown,
    });
    let room = disk.room(bytes).await;
    LAST_TEST.set(LastTest {
        began: now,
        runs: false,
        room,
    });
    room
}

/// Gives the space of the reserve back, where that was not done yet.
pub async fn release_reserve(files: &Disk) {
    let release = FULL.with_borrow_mut(|state| {
        let full = state.as_mut().filter(|full| !full.released);
        full.map(|full| full.released = true).is_some()
    });
    if release {
        files.request(Method::Delete, "reserve").await.ok();
    }
}

fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// What a test of the storage found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is space.
    Enough,
    /// There is too little space.
    TooLittle,
    /// The process cannot open a file.
    Unknown,
}

/// The files of the storage.
pub struct Disk(Fetcher);

impl Disk {
    /// `None` where the storage is no folder of files that the Worker may touch.
    pub fn open(env: &Env) -> Option<Self> {
        Some(Self(env.service(BINDING).ok()?))
    }

    /// Tests whether a publish of `bytes` can be stored. Makes the reserve where it can.
    pub async fn room(&self, bytes: u64) -> Room {
        let needed = bytes.saturating_mul(2).saturating_add(MARGIN_BYTES);
        let path = format!("reserve?room={needed}");
        match self.request(Method::Put, &path).await {
            Ok(()) => Room::Enough,
            Err(Refusal { status: 503, .. }) => Room::Unknown,
            Err(_) => Room::TooLittle,
        }
    }

    /// Removes the database of the object with this id.
    pub async fn remove(&self, object: &str) -> Result<(), String> {
        let path = format!("channel/{object}");
        let removed = self.request(Method::Delete, &path).await;
        removed.map_err(|refusal| refusal.why)
    }

    async fn request(&self, method: Method, path: &str) -> Result<(), Refusal> {
        let mut init = RequestInit::new();
        init.with_method(method);
        let answer = self.0.fetch(format!("http://storage/{path}"), Some(init));
        let mut answer = answer.await.map_err(|error| Refusal {
            status: 500,
            why: error.to_string(),
        })?;
        if answer.status_code() == 204 {
            return Ok(());
        }
        Err(Refusal {
            status: answer.status_code(),
            why: answer.text().await.unwrap_or_default(),
        })
    }
}

/// Why the service has not done something.
struct Refusal {
    status: u16,
    why: String,
}

/// Which channel's data this is, and where it is, for the log.
pub struct Location {
    channel: String,
    /// The id of the channel's object.
    object: String,
    is_file: bool,
}

impl Location {
    /// Of the `object` of this `channel`.
    pub fn of(env: &Env, channel: &str, object: String) -> Self {
        Self {
            channel: channel.to_owned(),
            object,
            is_file: Disk::open(env).is_some(),
        }
    }

    /// The id of the channel's object.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Adds it to a line of the log.
    pub fn name_in(&self, line: Line) -> Line {
        let line = line.field("id", &self.channel);
        let object = &self.object;
        if self.is_file {
            line.field("file", format!("channel/{object}.sqlite"))
        } else {
            line.field("object", object)
        }
    }
}
