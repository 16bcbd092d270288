//! Tests of the hub as a whole. They are in the crate because they compare the private state of the hub with a model.
//!
//! - `model`: a channel with fake streams and a fake history, which checks every byte that a client gets.
//! - `properties`: random sequences of steps, run in the model.
//! - `scenarios`: hand-written sequences of steps, run in the model, by subject.
//! - `simulation`: thousands of streams in virtual time, to check how long events wait.

pub mod model;
mod properties;
mod scenarios;
mod simulation;
