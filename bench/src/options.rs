//! The options of the command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use url::Url;

/// The options of a run.
#[derive(Clone, Debug, Parser)]
#[command(about)]
pub struct Options {
    /// Where to subscribe; `{channel}` stands for a channel's number
    #[arg(long)]
    pub subscribe: String,
    /// Where to publish; `{channel}` stands for a channel's number
    #[arg(long)]
    pub publish: String,
    /// The process of the server; its descendants are measured as well
    #[arg(long)]
    pub pid: Option<u32>,
    /// How many streams to open, spread over the channels
    #[arg(long, default_value_t = 100)]
    pub subscribers: usize,
    /// How many of these streams never read
    #[arg(long, default_value_t = 0)]
    pub stalled: usize,
    /// How many MiB of other events are published first, so that the buffers of streams that never read fill up
    #[arg(long, default_value_t = 0)]
    pub fill_mib: usize,
    /// How many connections publish at the same time, spread over the channels
    #[arg(long, default_value_t = 1)]
    pub publishers: usize,
    /// How many channels there are
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// How many channels each stream has. With more than one, the last segment of the path of --subscribe is the id of
    /// a channel, and is repeated for each channel, with commas between them
    #[arg(long, default_value_t = 1)]
    pub channels_per_stream: usize,
    /// How many events all publishers together publish
    #[arg(long, default_value_t = 1_000)]
    pub events: u32,
    /// How many of these events are published before the measurement begins
    #[arg(long, default_value_t = 0)]
    pub warm_up: u32,
    /// How many seconds to wait before the measurement begins, for example until the channels are asleep
    #[arg(long, default_value_t = 0.0)]
    pub rest_seconds: f64,
    /// Events per second of all publishers together; without it, each publishes as soon as the server has answered
    #[arg(long)]
    pub rate: Option<f64>,
    /// Events per publish; more than one are sent as an event stream
    #[arg(long, default_value_t = 1)]
    pub batch: u32,
    /// Size of an event's data in bytes
    #[arg(long, default_value_t = 64)]
    pub payload: usize,
    /// The shortest time between two reads of all streams, in milliseconds. It grows up to 10 ms while there is so much
    /// to read that reading takes a quarter of the time. Measured latencies are longer by up to this time
    #[arg(long, default_value_t = 1.0)]
    pub tick_ms: f64,
    /// Time between two samples in seconds
    #[arg(long)]
    pub sample_seconds: Option<f64>,
    /// How many more streams resume at the beginning of the channel, all at once, after all events are published.
    /// Meanwhile, publishing continues at the same rate. Needs --rate, one channel, and batches of one event
    #[arg(long, default_value_t = 0)]
    pub herd: usize,
    /// How many events the herd replays, including those of --events; the others are published before and not measured
    #[arg(long, default_value_t = 10_000)]
    pub replay: u32,
}

impl Options {
    /// Checks that the options are valid together.
    pub fn check(&self) -> Result<()> {
        let min = crate::event::HEADER;
        ensure!(self.payload >= min, "--payload has to be at least {min}");
        ensure!(self.channels > 0, "--channels has to be at least 1");
        ensure!(
            (1..=self.channels).contains(&self.channels_per_stream),
            "--channels-per-stream has to be from 1 to --channels"
        );
        ensure!(
            (0.0..=3_600.0).contains(&self.rest_seconds),
            "--rest-seconds has to be from 0 to 3600"
        );
        ensure!(self.batch > 0, "--batch has to be at least 1");
        ensure!(self.publishers > 0, "--publishers has to be at least 1");
        ensure!(
            self.stalled <= self.subscribers,
            "--stalled has to be at most --subscribers"
        );
        ensure!(
            self.warm_up <= self.events,
            "--warm-up has to be at most --events"
        );
        ensure!(
            self.rate.is_none_or(|rate| rate > 0.0),
            "--rate has to be above 0"
        );
        ensure!(
            (0.0..=1_000.0).contains(&self.tick_ms),
            "--tick-ms has to be from 0 to 1000"
        );
        let share = self.publishers as u32 * self.batch;
        ensure!(
            self.events.is_multiple_of(share) && self.warm_up.is_multiple_of(share),
            "--events and --warm-up have to be multiples of --publishers times --batch, which is {share}"
        );
        let (publishers, events) = (crate::event::MAX_PUBLISHERS, crate::event::MAX_EVENTS);
        ensure!(
            self.publishers <= publishers,
            "--publishers has to be at most {publishers}"
        );
        ensure!(self.events <= events, "--events has to be at most {events}");
        if self.herd > 0 {
            ensure!(
                self.rate.is_some() && self.batch == 1 && self.channels == 1,
                "--herd needs --rate, one channel, and batches of one event"
            );
            ensure!(
                (self.events..=events).contains(&self.replay),
                "--replay has to be at least --events, and at most {events}"
            );
        }
        Ok(())
    }

    /// The shortest time between two reads of a stream.
    pub fn tick(&self) -> Duration {
        Duration::from_secs_f64(self.tick_ms / 1_000.0)
    }

    /// How long to wait before the measurement begins.
    pub fn rest(&self) -> Duration {
        Duration::from_secs_f64(self.rest_seconds)
    }

    /// How many events each publisher publishes.
    pub fn events_each(&self) -> u32 {
        self.events / self.publishers as u32
    }

    /// How many of these events are published before the measurement begins.
    pub fn warm_up_each(&self) -> u32 {
        self.warm_up / self.publishers as u32
    }

    /// The time between two publishes of one publisher, if there is a rate.
    pub fn interval(&self) -> Option<Duration> {
        let publishes = self.batch as f64 * self.publishers as f64;
        self.rate
            .map(|rate| Duration::from_secs_f64(publishes / rate))
    }
}

/// The URL of a channel, and the address of its host.
pub fn target(template: &str, channel: usize) -> Result<(Url, SocketAddr)> {
    let url = Url::parse(&template.replace("{channel}", &channel.to_string()))
        .with_context(|| format!("{template} is not a URL"))?;
    ensure!(url.scheme() == "http", "{url} is not an http URL");
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let mut addresses = (host, port).to_socket_addrs()?;
    let address = addresses
        .next()
        .with_context(|| format!("{host} has no address"))?;
    // A load on another machine could be an attack, so it is refused.
    ensure!(address.ip().is_loopback(), "{url} is not on this machine");
    Ok((url, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_of_this_machine_are_accepted() {
        assert!(target("http://127.0.0.1:8080/channels/{channel}", 3).is_ok());
        assert!(target("http://[::1]:8080/", 0).is_ok());
        assert!(target("http://192.0.2.1/", 0).is_err());
        assert!(target("ftp://127.0.0.1/", 0).is_err());
        let (url, address) = target("http://127.0.0.1:81/a/{channel}?x={channel}", 3).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:81/a/3?x=3");
        assert_eq!(address.port(), 81);
    }
}
