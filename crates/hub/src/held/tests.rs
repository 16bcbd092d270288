//! Tests of held streams.
//!
//! - `scenarios`: hand-written sequences of calls, by subject.

mod scenarios;
