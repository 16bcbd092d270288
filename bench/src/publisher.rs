//! One publishing connection each.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::time::sleep_until;
use url::Url;

use crate::event::Event;

/// What one publisher does.
pub struct Publisher {
    pub client: Client,
    pub url: Url,
    /// Its number, counted from 0.
    pub number: usize,
    pub batch: u32,
    pub payload: usize,
    /// When the run began.
    pub begun: Instant,
}

impl Publisher {
    pub fn new(
        url: Url,
        number: usize,
        batch: u32,
        payload: usize,
        begun: Instant,
    ) -> Result<Self> {
        // One connection for each publisher, as programs have that publish.
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            // One that sends elsewhere may send to another machine.
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

    /// Publishes its events `from` to `to`, the latter not included; with an `interval`, one publish at each multiple of it
    /// after `start`. A publish that is late because the server has not answered the one before is dated by when it was due.
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

    /// Publishes `bytes` bytes that are not counted.
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
