//! The state that an object's entry points, callbacks and tasks share.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::activity::Activity;
use super::memory::ChannelMemory;
use super::pipeline::Pipeline;
use super::rate::TokenBucket;
use super::state::ChannelState;
use super::storage::Store;
use super::storage::database::Database;
use super::stream::{EventStream, StreamOpener};
use super::timer::{Clock, Timer};
use crate::http::problem::Problem;
use crate::isolate::disk_space;
use crate::isolate::exclusive::{Deferring, Exclusive};
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};
use crate::settings::Settings;
use sse_hub::{ConnId, Millis};

/// A callback from JavaScript that changes the channel's state.
#[derive(Debug)]
pub(super) enum Callback {
    /// A stream was cancelled, because its client has disconnected.
    Cancelled(ConnId),
    /// The channel's timer is due.
    TimerDue,
}

/// The shared state of one object.
pub(super) struct Shared {
    /// The channel's id.
    id: String,
    pub settings: Rc<Settings>,
    state: Deferring<ChannelState<EventStream, Database>, Callback>,
    pub database: Rc<Database>,
    pub pipeline: Pipeline,
    /// The publishes that are allowed now; `None` if there is no limit.
    rate: Option<Exclusive<TokenBucket>>,
    /// The deletion of the channel is being stored. Until it is stored, streams are not written to and nothing is read.
    pub deleting: Cell<bool>,
    pub opener: StreamOpener,
    pub clock: Clock,
    pub timer: Timer,
    /// It is set while commands are in flight; see [`crate::isolate::instance`].
    pub watchdog: Timer,
    pub memory: ChannelMemory,
    pub activity: Activity,
    /// Whether the runtime was told to answer the pings of feeds, which it does also while the object sleeps.
    pub answers_pings: Cell<bool>,
    /// When the storage is read next. If the platform has replaced this object, the read fails.
    pub next_check: Cell<Millis>,
    pub started: Millis,
}

impl Shared {
    /// The state of the object of the channel `id`.
    pub fn new(
        id: String,
        database: Rc<Database>,
        store: Store<Database>,
        settings: Rc<Settings>,
        clock: Clock,
    ) -> Rc<Self> {
        let started = clock.now();
        Rc::new_cyclic(|weak: &Weak<Self>| {
            // Upgrades fail once the object is gone.
            let call = |callback: fn(&Rc<Self>)| {
                let weak = weak.clone();
                move || {
                    if let Some(shared) = weak.upgrade() {
                        callback(&shared);
                    }
                }
            };
            let on_cancel = weak.clone();
            let rate = settings.publish_per_second;
            Self {
                state: Deferring::new(ChannelState::new(&id, store, &settings.limits, started)),
                id,
                timer: Timer::new(database.state(), call(Self::timer_due)),
                watchdog: Timer::new(database.state(), call(|shared| shared.watch())),
                database,
                rate: rate.map(|rate| Exclusive::new(TokenBucket::new(rate, started))),
                settings,
                pipeline: Pipeline::default(),
                deleting: Cell::new(false),
                opener: StreamOpener::new(move |conn| {
                    if let Some(shared) = on_cancel.upgrade() {
                        shared.leave(conn);
                    }
                }),
                clock,
                memory: ChannelMemory::default(),
                activity: Activity::new(started),
                answers_pings: Cell::new(false),
                next_check: Cell::new(started),
                started,
            }
        })
    }

    /// Runs `work` on the hub and the store, and then the callbacks that were deferred meanwhile.
    ///
    /// `work` must not write to a stream or end one, because both may call `cancel` back. It may read the clock, ask
    /// whether a stream is ready, and use the storage.
    pub fn with<R>(
        &self,
        work: impl FnOnce(&mut ChannelState<EventStream, Database>) -> R,
    ) -> Option<R> {
        let result = self.state.with(work);
        self.run_deferred();
        result
    }

    /// Runs the work of a callback on the hub and the store. If they are borrowed, defers the callback, and returns
    /// `None`.
    fn enter<R>(
        &self,
        callback: Callback,
        work: impl FnOnce(&mut ChannelState<EventStream, Database>) -> R,
    ) -> Option<R> {
        let result = self.state.enter(callback, work);
        self.run_deferred();
        result
    }

    fn run_deferred(&self) {
        while let Some(callback) = self.state.next_deferred() {
            match callback {
                Callback::Cancelled(conn) => self.leave(conn),
                Callback::TimerDue => self.poll_in_next_turn(),
            }
        }
    }

    /// Removes a stream whose client has disconnected. JavaScript may call this at any time.
    pub fn leave(&self, conn: ConnId) {
        let left = self.enter(Callback::Cancelled(conn), |state| state.hub.leave(conn));
        if left == Some(true) {
            self.log_left(conn);
            self.set_timer();
        }
    }

    fn timer_due(self: &Rc<Self>) {
        self.poll_in_next_turn();
        self.evict_log_soon();
    }

    fn poll_in_next_turn(&self) {
        let began = self.enter(Callback::TimerDue, |state| state.hub.begin_loop_turn());
        if began.is_some() {
            self.poll();
        }
    }

    /// The channel's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts a publish. Fails with [`Problem::TooManyPublishes`].
    pub fn check_rate(&self) -> Result<(), Problem> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        let now = self.clock.now();
        let taken = rate.with(|bucket| {
            let max = bucket.per_second();
            let error = Problem::TooManyPublishes { max };
            bucket.take(now).then_some(()).ok_or(error)
        });
        taken.ok_or(Problem::Internal)?
    }

    /// Logs that the storage has failed, and returns the problem to report.
    pub fn storage_failed(&self, error: &impl std::fmt::Display) -> Problem {
        storage_failed(&self.database, error)
    }
}

/// Logs that the storage has failed, with the channel and its file. Returns the problem to report.
pub(super) fn storage_failed(database: &Database, error: &impl std::fmt::Display) -> Problem {
    let error = error.to_string();
    Level::Error.log(|| {
        let line = Line::new("storage failed");
        database.location().name_in(line).error(&error)
    });
    let failure = StorageFailure::from_message(&error);
    if let StorageFailure::Full(reason) = &failure {
        disk_space::set_full(reason, 0);
    }
    Problem::StorageFailed(failure)
}
