//! State that the Worker and all objects of an isolate share, because they share one WebAssembly instance.

pub mod attempts;
pub mod disk;
pub mod instance;
pub mod memory;
pub mod opening;
pub mod storage_failure;
