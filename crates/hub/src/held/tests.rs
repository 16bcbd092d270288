//! Tests of held streams together with the hubs that feed them.
//!
//! - `model`: channels, a network that loses, delays and breaks feeds, held streams and their clients. It checks every
//!   byte that a client gets.
//! - `steps`: the random steps of the model.
//! - `properties`: random sequences of steps, run in the model.
//! - `scenarios`: hand-written sequences of calls, by subject.

mod model;
mod properties;
mod scenarios;
mod steps;
