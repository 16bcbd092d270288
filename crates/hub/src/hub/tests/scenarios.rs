//! Hand-written sequences of steps, by subject.

mod backpressure;
mod catch_up;
mod chunks;
mod end;
mod eviction;
mod expiry;
mod liveness;
mod shutdown;
