//! A load generator for servers of Server-Sent Events. It needs two URLs of a server, one to subscribe and one to
//! publish. It opens streams, publishes events with a number and a time, checks that every stream receives every event
//! in order, and prints one JSON object: a [`report::Report`], or a [`report::Replay`] if a herd replays the history.
//!
//! One thread publishes and another one reads all streams, so that reading does not delay the publishers. A herd has
//! two more threads. All threads together should use less than half a core, so that the server has the rest of the
//! machine.

mod channels;
mod check;
mod event;
mod herd;
mod options;
mod process;
mod publisher;
mod reader;
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
    // Every stream is an open file, and the usual soft limit is 1,024.
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
