//! The clock of a channel, and its timers.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::WorkerGlobalScope;
use worker::Result;

use crate::isolate::random::random_between;
use sse_hub::Millis;
use sse_hub::sse::Epoch;

#[wasm_bindgen(module = "/src/channel/timer.js")]
extern "C" {
    /// A function that calls `callback`. If that throws, it aborts the object with this `state`.
    #[wasm_bindgen(js_name = abortingOnFailure)]
    fn aborting_on_failure(state: &JsValue, callback: &JsValue) -> Function;
}

/// A clock in milliseconds since 1970 that never goes back. If the machine's clock is set back, this clock continues
/// from its last reading.
#[derive(Default)]
pub struct Clock {
    last: Cell<Millis>,
    ahead: Cell<Millis>,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Millis {
        self.advance(js_sys::Date::now() as Millis)
    }

    /// An epoch that begins now.
    pub fn fresh_epoch(&self) -> Epoch {
        Epoch::new(self.now(), random_between(0, Epoch::MAX_RANDOM))
    }

    /// The reading of this clock at `moment`, a time of the machine's clock.
    pub fn moment(&self, moment: Millis) -> Millis {
        moment.saturating_add(self.ahead.get())
    }

    fn advance(&self, reading: Millis) -> Millis {
        let now = reading.saturating_add(self.ahead.get());
        let back = self.last.get().saturating_sub(now);
        self.ahead.set(self.ahead.get().saturating_add(back));
        let now = now.max(self.last.get());
        self.last.set(now);
        now
    }
}

/// A timer with at most one timeout. A timer that is not set does not keep the object awake.
pub struct Timer {
    /// The function that the runtime calls. It aborts the object if `_callback` cannot be called any more.
    guarded: Function,
    _callback: Closure<dyn Fn()>,
    /// The timeout that is set, and its time.
    set: Rc<Cell<Option<(i32, Millis)>>>,
}

impl Timer {
    /// A timer that calls `callback`, and is not set yet. `state` is the state of the object.
    pub fn new(state: &JsValue, callback: impl Fn() + 'static) -> Self {
        let set = Rc::new(Cell::new(None));
        let passed = set.clone();
        let callback: Closure<dyn Fn()> = Closure::new(move || {
            passed.set(None);
            callback();
        });
        Self {
            guarded: aborting_on_failure(state, callback.as_ref()),
            _callback: callback,
            set,
        }
    }

    /// Sets the timer to `at`, or clears it if that is `None`. A timeout that is set for an earlier time stays: its
    /// callback sets the next one.
    pub fn set(&self, at: Option<Millis>, now: Millis) -> Result<()> {
        let global: WorkerGlobalScope = js_sys::global().unchecked_into();
        if let Some((handle, set_for)) = self.set.get() {
            if at.is_some_and(|at| set_for <= at) {
                return Ok(());
            }
            global.clear_timeout_with_handle(handle);
            self.set.set(None);
        }
        let Some(at) = at else { return Ok(()) };
        let delay = i32::try_from(at.saturating_sub(now)).unwrap_or(i32::MAX);
        let handle =
            global.set_timeout_with_callback_and_timeout_and_arguments_0(&self.guarded, delay)?;
        self.set.set(Some((handle, at)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_from_its_last_reading_when_the_machines_clock_is_set_back() {
        let clock = Clock::default();
        assert_eq!(clock.advance(1_000), 1_000);
        assert_eq!(clock.advance(400), 1_000);
        assert_eq!(clock.advance(410), 1_010);
        assert_eq!(clock.advance(5_000), 5_600);
        assert_eq!(clock.moment(5_001), 5_601);
    }
}
