//! A request that is authorized for several channels, and the endpoint that publishes the same events to each of them.

use futures_util::stream::{self, StreamExt};
use web_sys::Response;

use super::authorized::Authorized;
use super::channel_request::ChannelRequest;
use super::publish::Publish;
use crate::auth::Grant;
use crate::http::problem::Problem;
use crate::http::problem::document::Document;
use crate::http::publish::AfterEvents;
use crate::http::publish::several::{self, ChannelAnswer, ChannelFailure};
use crate::http::response::{self, Failure};
use crate::isolate::clock::now;

/// The most objects that are called at once. The platform lets one invocation wait for six responses at a time, and
/// delays further calls.
pub(super) const MAX_AT_ONCE: usize = 6;

/// A request that is authorized for all of its channels. Only this type has the endpoints of several channels.
pub struct AuthorizedForAll<'a> {
    pub(super) request: ChannelRequest<'a>,
    /// One for each channel, in the order of the path.
    pub(super) channels: Vec<Authorized<'a>>,
}

impl<'a> AuthorizedForAll<'a> {
    /// `grants` are the grants of `request`, in the order of the path.
    pub(super) fn new(request: ChannelRequest<'a>, grants: Vec<Grant>) -> Self {
        let authorized = grants
            .into_iter()
            .map(|grant| Authorized::new(request, grant));
        Self {
            request,
            channels: authorized.collect(),
        }
    }

    /// Publishes the events in the body to each channel. The answer has the receipt or the problem of each.
    pub async fn publish(&self) -> Result<Response, Failure> {
        let first = self.channels.first().ok_or(Problem::Internal)?;
        // The memory is counted for one of the channels, so a publisher that changes its list gets no larger share of
        // the room than its channels have anyway.
        let mut publish = Publish::read(&self.request, first.channel(), AfterEvents::GoOn).await?;
        // The token may have expired while the body was being read, so check it again. One token gave all grants.
        first.grant.check(now()).map_err(Problem::from)?;
        // The room of the objects is as large as that of the Worker, so the Worker counts what it sends at once.
        let most = self.channels.len().min(MAX_AT_ONCE);
        let at_once = publish.received.admit_copies(most);
        let calls = self.channels.iter().enumerate().map(|(place, channel)| {
            let publish = &publish;
            async move {
                let answer = channel.publish_as_one_of_several(publish).await;
                (place, channel.channel(), answer)
            }
        });
        // Not in order, because then a slow channel would delay the calls of the channels after it.
        let mut answers: Vec<_> = stream::iter(calls)
            .buffer_unordered(at_once)
            .collect()
            .await;
        answers.sort_by_key(|(place, ..)| *place);
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(_, channel, answer)| (channel, answer))
            .collect();
        let answer = several::join(&answers, publish.key.is_some());
        Ok(self.request.responder.several(&answer)?)
    }
}

impl Authorized<'_> {
    /// Publishes to this channel. A failure is a part of the answer, so that it hides no other channel's receipt.
    async fn publish_as_one_of_several(&self, publish: &Publish) -> ChannelAnswer {
        let read = match self.send_and_log_publish(publish).await {
            Ok(response) => self.read_answer(response).await,
            Err(failure) => Err(failure),
        };
        read.unwrap_or_else(|failure| {
            let problem = self.problem_of(failure);
            ChannelAnswer::Failed(ChannelFailure {
                problem: problem.document(),
                retry_after: problem.retry_after().map(str::to_owned),
            })
        })
    }

    /// Reads what the object has answered to a publish.
    async fn read_answer(&self, response: Response) -> Result<ChannelAnswer, Failure> {
        let is_replayed = response::is_replayed(&response);
        let status = response.status();
        let retry_after = response.headers().get("Retry-After").ok().flatten();
        // If the object is aborted meanwhile, the rest of its answer is lost.
        let text = worker::Response::from(response).text().await;
        let text = text.map_err(|_| Problem::ChannelUnavailable)?;
        if status != 200 {
            let problem = Document::parse(&text).ok_or(Problem::Internal)?;
            return Ok(ChannelAnswer::Failed(ChannelFailure {
                problem,
                retry_after,
            }));
        }
        let receipt = serde_json::from_str(&text).map_err(worker::Error::from)?;
        Ok(if is_replayed {
            ChannelAnswer::Replayed(receipt)
        } else {
            ChannelAnswer::Published(receipt)
        })
    }
}
