//! Tests of the hub as a whole. They are inside of the crate because the model compares private state.

mod expiry;
mod model;
mod properties;
mod reader;
mod scenarios;
mod simulation;
