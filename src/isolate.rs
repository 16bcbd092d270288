//! State that the Worker and all objects of an isolate share, because they share one WebAssembly instance.
//!
//! The modules, in the order of their dependencies: each uses only those before it.
//!
//! - [`clock`]: the time
//! - [`random`]: random numbers
//! - [`exclusive`]: cells that report a nested borrow instead of panicking
//! - [`stopping`]: whether the server is stopping
//! - [`instance`]: the loss of the instance
//! - [`memory`]: how much memory bodies and logs take
//! - [`commit_log`]: the ids of recent commits
//! - [`opening`]: which objects are open
//! - [`storage_failure`]: why the storage failed
//! - [`disk`]: the files of the storage
//! - [`disk_space`]: whether the storage takes more data

pub mod clock;
pub mod commit_log;
pub mod disk;
pub mod disk_space;
pub mod exclusive;
pub mod instance;
pub mod memory;
pub mod opening;
pub mod random;
pub mod stopping;
pub mod storage_failure;
