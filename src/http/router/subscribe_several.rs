//! The endpoints that open one stream of several channels, or only check that one could be opened.

use futures_util::stream::{self, StreamExt};
use web_sys::Response;

use super::authorized::Authorized;
use super::several::{AuthorizedForAll, MAX_AT_ONCE};
use crate::http::held::{self, Feed, FeedSource};
use crate::http::object::request::{FeedRequest, ObjectRequest, SubscribeRequest};
use crate::http::problem::Problem;
use crate::http::problem::document::Document;
use crate::http::response::{self, Failure};
use crate::http::subscribe::{GivenId, LAST_EVENT_ID_HEADER, Parameters};
use sse_hub::sse::Positions;

/// What the client of a stream of several channels has asked for.
struct Wanted {
    parameters: Parameters,
    after: Option<GivenId>,
}

impl<'a> AuthorizedForAll<'a> {
    /// Opens a stream of all channels. A channel that fails is reported in the stream, unless all fail.
    pub async fn subscribe(&self) -> Result<Response, Failure> {
        let first = self.channels.first().ok_or(Problem::Internal)?;
        let wanted = self.wanted()?;
        let positions = self.positions(&wanted)?;
        let feeds = self
            .for_each(async |channel| channel.open_feed(&wanted).await)
            .await;
        let responder = self.request.responder;
        if feeds
            .iter()
            .all(|(_, feed)| matches!(feed, Ok(Feed::Ended(_))))
        {
            return Ok(responder.no_content()?);
        }
        if feeds.iter().all(|(_, feed)| feed.is_err()) {
            let problems: Vec<_> = feeds
                .into_iter()
                .filter_map(|(_, feed)| feed.err())
                .collect();
            let is_stream = response::reads_streams(self.request.request);
            return Ok(responder.problems(&problems, is_stream)?);
        }
        // One token gave all grants, so they expire at the same time.
        let body = held::open_several(feeds, positions, first.held_limits(), self.request.context)?;
        Ok(responder.event_stream(Some(&body))?)
    }

    /// Answers with the status and the headers of a stream of all channels.
    pub async fn check_subscribe(&self) -> Result<Response, Failure> {
        let wanted = self.wanted()?;
        let checks = self
            .for_each(async |channel| channel.check(&wanted).await)
            .await;
        let responder = self.request.responder;
        let is = |status: u16| {
            move |check: &Result<u16, _>| check.as_ref().is_ok_and(|it| *it == status)
        };
        if checks.iter().any(is(200)) {
            return Ok(responder.event_stream(None)?);
        }
        if checks.iter().all(is(204)) {
            return Ok(responder.no_content()?);
        }
        let problems: Vec<_> = checks.into_iter().filter_map(Result::err).collect();
        Ok(responder.problems(&problems, false)?)
    }

    fn wanted(&self) -> Result<Wanted, Failure> {
        let header = self.request.header(LAST_EVENT_ID_HEADER);
        Ok(Wanted {
            parameters: Parameters::read(self.request.query)?,
            after: GivenId::find(header.as_deref(), self.request.query),
        })
    }

    /// The positions after which the stream continues, as far as the client has given them. A channel keeps its
    /// position until the client has got its first block, also if the channel does not know the id: a client whose
    /// connection breaks before that resumes with it, and is told about the gap.
    fn positions(&self, wanted: &Wanted) -> Result<Positions, Failure> {
        let names = self.channels.iter().map(Authorized::channel);
        let positions = Positions::resume(names, |name| wanted.after.as_ref()?.id_for(name));
        // The list was checked when the path was read.
        Ok(positions.map_err(|_| Problem::Internal)?)
    }

    /// What `call` returns for each channel, in the order of the path.
    async fn for_each<T>(&self, call: impl AsyncFn(&Authorized<'a>) -> T) -> Vec<T> {
        let call = &call;
        let calls = self
            .channels
            .iter()
            .map(async |channel| call(channel).await);
        stream::iter(calls).buffered(MAX_AT_ONCE).collect().await
    }
}

impl<'a> Authorized<'a> {
    /// Asks the object for the feed of a stream of several channels.
    async fn open_feed(&self, wanted: &Wanted) -> (FeedSource, Result<Feed, Document<'static>>) {
        let mut request = self.request_of_several(wanted);
        request.feed = Some(FeedRequest::Required);
        let source = self.feed_source(request.clone());
        let response = self.call_to_read(ObjectRequest::Subscribe(request)).await;
        let feed = match response {
            Ok(response) => source.feed_in(response).await,
            Err(failure) => Err(self.document_of(failure)),
        };
        (source, feed)
    }

    /// Asks the object whether it would open a stream. Returns the status.
    async fn check(&self, wanted: &Wanted) -> Result<u16, Document<'static>> {
        let mut request = self.request_of_several(wanted);
        request.only_check = true;
        let call = ObjectRequest::Subscribe(request);
        let response = self.call_to_read(call).await;
        let response = response.map_err(|failure| self.document_of(failure))?;
        match response.status() {
            status @ 200..300 => Ok(status),
            // A response to HEAD has no body that would say more.
            _ => Err(Problem::ChannelUnavailable.document_for(Some(self.channel()))),
        }
    }

    /// The request for this channel's part of the stream.
    fn request_of_several(&self, wanted: &Wanted) -> SubscribeRequest<'a> {
        let Wanted { parameters, after } = wanted;
        let last_event_id = after.as_ref().and_then(|id| id.id_for(self.channel()));
        let history = parameters.history.filter(|_| after.is_none());
        let parameters = Parameters {
            history,
            ..*parameters
        };
        SubscribeRequest {
            query: parameters.to_query().into(),
            last_event_id: last_event_id.map(|id| id.to_string()),
            ..self.new_subscribe_request()
        }
    }

    fn document_of(&self, failure: Failure) -> Document<'static> {
        let problem = self.problem_of(failure);
        problem.document_for(Some(self.channel()))
    }
}
