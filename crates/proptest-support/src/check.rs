//! Runs properties.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

/// Counts the cases of each class that a property was tried with.
#[derive(Default)]
pub struct Seen(RefCell<BTreeMap<&'static str, u32>>);

impl Seen {
    /// Notes that the case belongs to `class`. A case can belong to several classes.
    pub fn note(&self, class: &'static str) {
        *self.0.borrow_mut().entry(class).or_default() += 1;
    }

    /// Notes that the case belongs to `class` if `belongs` is true.
    pub fn note_if(&self, belongs: bool, class: &'static str) {
        if belongs {
            self.note(class);
        }
    }
}

/// Tries `property` with values of `strategy`.
///
/// A property that never meets the cases that it is about proves nothing. So this also fails if fewer than one case in
/// 1,000 belongs to any of `classes`.
#[track_caller]
pub fn check<S: Strategy>(
    classes: &[&'static str],
    strategy: S,
    property: impl Fn(S::Value, &Seen) -> TestCaseResult,
) {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 1_000;
    }
    config.source_file = Some(Location::caller().file());
    let cases = config.cases;
    let seen = Seen::default();
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&strategy, |case| property(case, &seen)) {
        panic!("{error}\n{runner}");
    }
    let seen = seen.0.into_inner();
    let thread = std::thread::current();
    println!("{}: {cases} cases: {seen:?}", thread.name().unwrap_or(""));
    for class in classes {
        let met = seen.get(class).copied().unwrap_or_default();
        assert!(met >= cases / 1_000, "{class:?} in {met} of {cases} cases");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "\"odd\" in 0 of")]
    fn a_class_without_cases_fails_the_check() {
        check(&["even", "odd"], 0..10_u32, |number, seen| {
            seen.note_if(number < 10, "even");
            Ok(())
        });
    }
}
