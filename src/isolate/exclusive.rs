//! A cell whose value is borrowed for the time of one closure, and which never panics.
//!
//! `RefCell` panics if a borrow is requested while another one lasts. A panic traps the WebAssembly instance that all
//! channels of an isolate share, so this type is the only way in which the channel's code borrows. The risk is a
//! callback from JavaScript that runs during a borrow: [`Deferring`] keeps it until the borrow has ended.

use std::cell::RefCell;
use std::collections::VecDeque;

/// A value that one closure at a time borrows.
#[derive(Debug, Default)]
pub struct Exclusive<T>(RefCell<T>);

impl<T> Exclusive<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Runs `work` on the value. If a caller further up the stack is already working on it, does nothing and returns
    /// `None`. Only code that can be called during such work, like a callback, has to expect that.
    pub fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = self.0.try_borrow_mut().ok()?;
        Some(work(&mut value))
    }

    /// Like [`try_with`](Self::try_with), for code that is never called during such work: there, `None` is a defect,
    /// which debug builds report.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let result = self.try_with(work);
        debug_assert!(
            result.is_some(),
            "the value is borrowed by a caller already"
        );
        result
    }
}

/// An [`Exclusive`] value, and the callbacks that arrived while it was borrowed.
#[derive(Debug)]
pub struct Deferring<T, C> {
    value: Exclusive<T>,
    deferred: Exclusive<VecDeque<C>>,
}

impl<T, C> Deferring<T, C> {
    /// A cell that holds `value`, without deferred callbacks.
    pub const fn new(value: T) -> Self {
        Self {
            value: Exclusive::new(value),
            deferred: Exclusive::new(VecDeque::new()),
        }
    }

    /// See [`Exclusive::with`]. The caller runs the [deferred](Self::next_deferred) callbacks afterwards.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.value.with(work)
    }

    /// Runs the work of a callback on the value. If the value is borrowed, defers `callback` instead, and returns
    /// `None`.
    pub fn enter<R>(&self, callback: C, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let result = self.value.try_with(work);
        if result.is_none() {
            self.deferred.with(|deferred| deferred.push_back(callback));
        }
        result
    }

    /// Takes the oldest deferred callback, if there is one and the value is free for it.
    pub fn next_deferred(&self) -> Option<C> {
        let next = || self.deferred.with(VecDeque::pop_front).flatten();
        self.value.try_with(|_| next())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_borrow_is_refused_and_changes_nothing() {
        let cell = Exclusive::new(1);
        let inner = cell.with(|value| {
            *value += 1;
            cell.try_with(|value| *value = 100)
        });
        assert_eq!(inner, Some(None));
        assert_eq!(cell.with(|value| *value), Some(2));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "borrowed by a caller already")]
    fn debug_builds_report_a_nested_borrow_that_is_not_a_callback() {
        let cell = Exclusive::new(1);
        cell.with(|_| cell.with(|_| ()));
    }

    #[test]
    fn a_callback_during_a_borrow_is_deferred_until_the_borrow_has_ended() {
        let cell: Deferring<Vec<u32>, u32> = Deferring::new(Vec::new());
        let leave = |id| cell.enter(id, |left| left.push(id));
        cell.with(|left| {
            left.push(1);
            assert_eq!(leave(2), None);
            assert_eq!(leave(3), None);
            assert_eq!(cell.next_deferred(), None, "the borrow lasts");
        });
        while let Some(id) = cell.next_deferred() {
            assert_eq!(leave(id), Some(()));
        }
        assert_eq!(leave(4), Some(()));
        assert_eq!(cell.with(|left| left.clone()), Some(vec![1, 2, 3, 4]));
    }
}
