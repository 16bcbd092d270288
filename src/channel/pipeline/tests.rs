//! Tests of the pipeline with the channel's own state, on a real SQLite and without a runtime.

mod commands;
mod harness;
mod object;
mod random;
mod repeats;
