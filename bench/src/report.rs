//! The results of a run.

use serde::Serialize;

use crate::check::Faults;
use crate::process::Usage;
use crate::tally::Counts;

/// The result of a run, printed as JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The time from the first measured publish to the last delivery.
    pub seconds: f64,
    /// Events that arrived in order.
    pub delivered: u64,
    /// `delivered` divided by `seconds`.
    pub deliveries_per_second: f64,
    /// Deliveries that never arrived at streams that read.
    pub lost: u64,
    /// Events that arrived twice, or after a later event.
    pub out_of_order: u64,
    /// Combined ids that are not those of their events: of another channel, or not one after the last of their channel.
    pub wrong_ids: u64,
    /// Streams that the server ended.
    pub ended: usize,
    /// The latency of the measured events.
    #[serde(flatten)]
    pub latency: Latency,
    /// The server's CPU time per delivery, in microseconds.
    pub cpu_us_per_delivery: Option<f64>,
    /// The bytes that the streams received per delivery, with the framing of chunks.
    pub bytes_per_delivery: f64,
    /// The mean length of an event's id, in bytes. `None` if the events have no ids, or have them before their data.
    pub id_bytes: Option<f64>,
    /// The server's CPU time divided by `seconds`. 1 is one core.
    pub cpu_cores: Option<f64>,
    /// The same for this program, which shows whether it was the bottleneck.
    pub generator_cores: f64,
    /// The mean time between two reads of all streams. Latencies include up to this time.
    pub tick_ms: f64,
    /// The server's resident memory.
    pub memory: Option<Memory>,
    /// One sample every `--sample-seconds`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// The result of a run with a herd, printed as JSON.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// How many streams the herd has.
    pub streams: usize,
    /// How many events each of them replays.
    pub events: u32,
    /// The time from the start of the herd until its last stream had all these events. `None` if a stream never had
    /// them.
    pub seconds: Option<f64>,
    /// The same for half of the streams.
    pub median_seconds: Option<f64>,
    /// The faults of the herd's streams until the end of the run.
    #[serde(flatten)]
    pub faults: Faults,
    /// Streams of the herd and live streams that the server ended.
    pub ended: usize,
    /// Deliveries that never arrived at the live streams.
    pub live_lost: u64,
    /// Events that arrived twice at a live stream, or after a later event.
    pub live_out_of_order: u64,
    /// The latency of the live streams before the start of the herd.
    pub before: Latency,
    /// Their latency from then on until the herd has caught up. `None` if too few events were published in this time.
    pub during: Option<Latency>,
    /// The server's CPU time during `seconds`, divided by all deliveries to the herd, in microseconds. It includes the
    /// CPU time for the live streams.
    pub cpu_us_per_delivery: Option<f64>,
    /// The server's resident memory in bytes: before the start of the herd, and when the herd has caught up.
    pub rss: Option<[u64; 2]>,
    /// This program's CPU time divided by `seconds`, which shows whether it was the bottleneck. It uses two threads.
    pub generator_cores: f64,
}

/// The time from when an event was due to be published until it arrived.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Latency {
    /// The latency of a span of time.
    pub fn of(counts: &Counts) -> Self {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        Self {
            p50_ms: ms(counts.latency.value_at_quantile(0.5)),
            p99_ms: ms(counts.latency.value_at_quantile(0.99)),
            max_ms: ms(counts.latency.max()),
        }
    }
}

/// The server's resident memory in bytes.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// Before the first stream was opened.
    pub before: u64,
    /// With all streams open and before the first publish.
    pub idle: u64,
    /// `idle` minus `before`, divided by the number of streams.
    pub per_stream: f64,
    /// At the beginning of the measured load.
    pub at_start: u64,
    /// At the end of the measured load.
    pub at_end: u64,
}

/// The counts and usage since the previous sample.
#[derive(Debug, Serialize)]
pub struct Sample {
    /// When the sample was taken, in seconds from the beginning of the load.
    pub second: f64,
    pub delivered: u64,
    #[serde(flatten)]
    pub latency: Latency,
    pub cpu_us_per_delivery: f64,
    #[serde(flatten)]
    pub usage: Usage,
}
