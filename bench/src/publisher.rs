//! A publisher, which has its own connection.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::time::sleep_until;
use url::Url;

use crate::event::Event;

/// Publishes events on one connection.
pub struct Publisher {
    client: Client,
    url: Url,
    /// Its number, counted from 0.
    pub number: usize,
    /// How many events a publish contains.
    batch: u32,
    /// The size of an event's data in bytes.
    payload: usize,
    /// When the run began. The times of events are relative to it.
    begun: Instant,
}

impl Publisher {
    /// A publisher that is not connected yet.
    pub fn new(
        url: Url,
        number: usize,
        batch: u32,
        payload: usize,
        begun: Instant,
    ) -> Result<Self> {
        // Each publisher has one connection, as a real publishing program has.
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            // A redirect could lead to another machine.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            url,
            number,
            batch,
            payload,
            begun,
        })
    }

    /// Publishes its events from `from` to before `to`. With an `interval`, a publish is due at each multiple of it
    /// after `start`. A publish is late if the server has not answered the previous one. Its events still have the time
    /// at which they were due.
    pub async fn publish(
        &self,
        from: u32,
        to: u32,
        start: Instant,
        interval: Option<Duration>,
    ) -> Result<()> {
        for (step, first) in (0_u32..).zip((from..to).step_by(self.batch as usize)) {
            let mut due = Instant::now();
            if let Some(interval) = interval {
                due = start + interval * step;
                sleep_until(due.into()).await;
            }
            self.post(first, due.duration_since(self.begun)).await?;
        }
        Ok(())
    }

    /// Publishes a batch that begins with the event `first`.
    async fn post(&self, first: u32, at: Duration) -> Result<()> {
        let event = |number| Event {
            publisher: self.number,
            number,
            at,
        };
        let mut body = String::new();
        let mut request = self.client.post(self.url.clone());
        if self.batch == 1 {
            event(first).write(self.payload, &mut body);
        } else {
            request = request.header(CONTENT_TYPE, "text/event-stream");
            for number in first..first + self.batch {
                body.push_str("data: ");
                event(number).write(self.payload, &mut body);
                body.push_str("\n\n");
            }
        }
        self.send(request.body(body)).await
    }

    /// Publishes an event of `bytes` bytes that is not counted.
    pub async fn fill(&self, bytes: usize) -> Result<()> {
        self.send(self.client.post(self.url.clone()).body("x".repeat(bytes)))
            .await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<()> {
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        ensure!(
            status.is_success(),
            "publishing was answered with {status}: {body}"
        );
        Ok(())
    }
}
