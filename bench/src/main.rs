//! A load generator for servers of Server-Sent Events. It knows a server by two URLs, one to subscribe and one to
//! publish. It opens streams, publishes numbered and dated events, checks that every stream gets every event in order,
//! and prints one JSON object: see [`report::Report`], and [`report::Replay`] where a herd reads the history.
//!
//! One thread does it all, so that the server has the other cores to itself; a herd has another.

mod check;
mod event;
mod herd;
mod options;
mod process;
mod publisher;
mod replay;
mod report;
mod run;
mod stream;
mod subscriber;
mod tally;

use clap::Parser;

use crate::options::Options;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // Every stream is a file; the usual soft limit is 1,024.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let local = tokio::task::LocalSet::new();
    let report = if options.herd > 0 {
        serde_json::to_string(&local.run_until(replay::run(&options)).await?)?
    } else {
        serde_json::to_string(&local.run_until(run::run(&options)).await?)?
    };
    println!("{report}");
    Ok(())
}
