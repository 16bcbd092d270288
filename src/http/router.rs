//! Which request goes where. Ids and tokens are checked here, before any object is created.

mod calling;
mod deleting;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use web_sys::{Request, Response};
use worker::Env;

use crate::auth::{Denied, Grant, Permission};
use crate::http::credentials::{self, Credentials};
use crate::http::files;
use crate::http::object::{EXPIRES_HEADER, SUBJECT_HEADER};
use crate::http::problem::Problem;
use crate::http::publish;
use crate::http::query;
use crate::http::rate_limit::{self, PUBLISH_LIMIT, SUBSCRIBE_LIMIT};
use crate::http::response::{self, Failure, Responder};
use crate::http::route::{self, Action, Route, channel_id};
use crate::http::subscribe::{EventsQuery, LAST_EVENT_ID_HEADER, Subscription};
use crate::http::target::Target;
use crate::logging::{Level, Line, printable};
use crate::settings::Settings;
use sse_hub::Millis;

/// How often an object is called that does not answer.
const ATTEMPTS: u32 = 2;

/// Answers any request. It has the method `method` and is for `target`.
pub async fn answer(
    request: &Request,
    method: &str,
    target: Target<'_>,
    env: &Env,
    settings: &Settings,
    responder: &Responder,
) -> Result<Response, Failure> {
    let route = route::route(target.path);
    if route == Route::File {
        let file = files::answer(request, method, target, env).await?;
        if let Some(file) = file {
            return Ok(file);
        }
    }
    check_method(&route, method)?;
    if method == "OPTIONS" {
        return Ok(responder.preflight(route.allow())?);
    }
    let Route::Channel(segment, action) = route else {
        return Ok(responder.text("ok")?);
    };
    let channel = Channel {
        action,
        id: &channel_id(segment).ok_or(Problem::InvalidChannelId)?,
        request,
        query: target.query,
        env,
        settings,
        responder,
    };
    match action {
        Action::Channel if method == "DELETE" => channel.end().await,
        Action::Channel => channel.subscribe(method).await,
        Action::Broadcast => channel.broadcast().await,
        Action::Events => channel.events().await,
        Action::Stats => channel.stats().await,
    }
}

fn check_method(route: &Route, method: &str) -> Result<(), Problem> {
    if route.takes(method) {
        return Ok(());
    }
    Err(Problem::MethodNotAllowed {
        method: method.to_owned(),
        allow: route.allow(),
    })
}

/// A request to a channel, as the Worker sees it: whether it may, and the way to the channel's object.
struct Channel<'a> {
    action: Action,
    id: &'a str,
    request: &'a Request,
    /// The query of the request's URL.
    query: &'a str,
    env: &'a Env,
    settings: &'a Settings,
    responder: &'a Responder,
}

impl Channel<'_> {
    async fn subscribe(&self, method: &str) -> Result<Response, Failure> {
        // Somebody opened the channel in the address bar.
        if method == "GET" && self.header("Sec-Fetch-Dest").as_deref() == Some("document") {
            return Ok(self.responder.redirect(&self.console())?);
        }
        let grant = self.authorize(Permission::Subscribe).await?;
        Subscription::read(None, self.query)?;
        if method == "HEAD" {
            return Ok(self.responder.event_stream(None)?);
        }
        let mut headers = Vec::new();
        for name in ["Accept", LAST_EVENT_ID_HEADER] {
            headers.extend(self.header(name).map(|value| (name, value)));
        }
        let expires = grant.expires().map(|expires| expires.to_string());
        headers.extend(expires.map(|expires| (EXPIRES_HEADER, expires)));
        let subject = grant
            .subject()
            .map(|subject| percent_encoded(&printable(subject)));
        headers.extend(subject.map(|subject| (SUBJECT_HEADER, subject)));
        self.read(&headers).await
    }

    async fn broadcast(&self) -> Result<Response, Failure> {
        let grant = self.authorize(Permission::Publish).await?;
        let key = publish::idempotency_key(self.request)?;
        // Its memory is counted until the receipt is there.
        let received = publish::read(self.request, self.id, self.settings).await?;
        let batch = &received.batch;
        // The token may have expired while the body was being read.
        grant.check(now()).map_err(Problem::from)?;
        // An answer that was lost may be of events that were stored: only a key makes it safe to send them again.
        let attempts = if key.is_some() { ATTEMPTS } else { 1 };
        let headers: Vec<_> = key
            .into_iter()
            .map(|key| (publish::KEY_HEADER, key))
            .collect();
        let answer = self.publish(attempts, &headers, &batch.wire).await?;
        if Level::Debug.is_enabled() && answer.status() == 200 && !response::is_replayed(&answer) {
            for payload in publish::payloads(batch) {
                Level::Debug.log(|| Line::payload(self.id, &payload));
            }
        }
        Ok(answer)
    }

    async fn events(&self) -> Result<Response, Failure> {
        self.authorize(Permission::Publish).await?;
        EventsQuery::read(self.query)?;
        self.read(&[]).await
    }

    async fn stats(&self) -> Result<Response, Failure> {
        self.authorize(Permission::Publish).await?;
        self.read(&[]).await
    }

    async fn end(&self) -> Result<Response, Failure> {
        self.authorize(Permission::Publish).await?;
        self.delete().await
    }

    /// What the request may do, if there have not been too many. Nothing that costs anything, and no object, is touched before.
    async fn authorize(&self, permission: Permission) -> Result<Grant, Problem> {
        let limit = match permission {
            Permission::Publish => PUBLISH_LIMIT,
            Permission::Subscribe => SUBSCRIBE_LIMIT,
        };
        rate_limit::check(self.env, limit, self.request).await?;
        let access = &self.settings.access;
        if let Some(grant) = access.grant_without_token(permission, self.id) {
            return Ok(grant);
        }
        let credentials = Credentials {
            authorization: self.header("Authorization"),
            cookie: self.header("Cookie"),
            query: self.query,
        };
        let tokens = credentials.tokens(permission)?;
        let mut refused = None;
        for token in &tokens {
            match access.grant(permission, self.id, Some(token), now).await {
                Ok(grant) => return Ok(grant),
                // The first token is the one that the client most likely means.
                Err(denied) => refused = refused.or(Some(denied)),
            }
        }
        Err(refused.unwrap_or(Denied::Missing(permission)).into())
    }

    fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// The console, with this channel chosen, and with the token that was in the address.
    fn console(&self) -> String {
        let mut location = format!("/?channel={}", self.id);
        let token = query::value(self.query, credentials::PARAMETER);
        if let Some(token) = token.ok().flatten() {
            location.push_str("&token=");
            location.push_str(&percent_encoded(&token));
        }
        location
    }
}

fn now() -> Millis {
    js_sys::Date::now() as Millis
}

fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
