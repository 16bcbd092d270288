//! A request to one or several channels, and its authorization.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Env;

use super::authorized::Authorized;
use super::several::AuthorizedForAll;
use crate::auth::{Denied, Grant, Permission};
use crate::http::credentials::{self, Credentials};
use crate::http::files;
use crate::http::invocation::Caller;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::rate_limit::{self, PUBLISH_LIMIT, SUBSCRIBE_LIMIT};
use crate::http::response::Responder;
use crate::isolate::clock::now;
use crate::settings::Settings;

/// A request to one or several channels.
#[derive(Clone, Copy)]
pub struct ChannelRequest<'a> {
    /// The request.
    pub request: &'a Request,
    /// The query of its URL.
    pub query: &'a str,
    /// The bindings of the deployment.
    pub env: &'a Env,
    /// The request's context of the runtime.
    pub context: &'a JsValue,
    /// The sender of the request.
    pub caller: Caller,
    /// The settings of the deployment.
    pub settings: &'a Settings,
    /// Makes the response.
    pub responder: &'a Responder,
}

impl<'a> ChannelRequest<'a> {
    /// Counts the request for the limits of its address, and checks that it has `permission` on `channel`. Before this,
    /// the Worker does nothing that is expensive, and calls no object.
    pub async fn authorize(
        self,
        permission: Permission,
        channel: &str,
    ) -> Result<Authorized<'a>, Problem> {
        self.check_rate(permission).await?;
        let access = &self.settings.access;
        let grant = match self.grant_without_token(permission, channel) {
            Some(grant) => grant,
            None => {
                let ask =
                    async |token: &str| access.grant(permission, channel, Some(token), now).await;
                self.ask_with_each_token(permission, ask).await?
            }
        };
        Ok(Authorized::new(self, grant))
    }

    /// Like [`authorize`](Self::authorize), for a request that needs `permission` on all of `channels`. The request is
    /// counted once.
    pub async fn authorize_all(
        self,
        permission: Permission,
        channels: &[String],
    ) -> Result<AuthorizedForAll<'a>, Problem> {
        self.check_rate(permission).await?;
        let access = &self.settings.access;
        let without_token = channels
            .iter()
            .map(|channel| self.grant_without_token(permission, channel));
        let grants = match without_token.collect() {
            Some(grants) => grants,
            None => {
                let ask = async |token: &str| {
                    access
                        .grant_all(permission, channels, Some(token), now)
                        .await
                };
                self.ask_with_each_token(permission, ask).await?
            }
        };
        Ok(AuthorizedForAll::new(self, grants))
    }

    /// A grant if the request needs no token, because of its caller or of the setting `ACCESS`.
    fn grant_without_token(&self, permission: Permission, channel: &str) -> Option<Grant> {
        let access = &self.settings.access;
        match self.caller {
            Caller::Client => access.grant_without_token(permission, channel),
            Caller::OwnCode => Some(access.grant_to_own_code(permission, channel)),
        }
    }

    async fn check_rate(&self, permission: Permission) -> Result<(), Problem> {
        if self.caller == Caller::OwnCode {
            return Ok(());
        }
        let limit = match permission {
            Permission::Publish => PUBLISH_LIMIT,
            Permission::Subscribe => SUBSCRIBE_LIMIT,
        };
        rate_limit::check(self.env, limit, self.request).await
    }

    /// What `ask` grants for the first token of the request for which it grants something.
    async fn ask_with_each_token<T>(
        &self,
        permission: Permission,
        ask: impl AsyncFn(&str) -> Result<T, Denied>,
    ) -> Result<T, Problem> {
        let credentials = Credentials {
            authorization: self.header("Authorization"),
            cookie: self.header("Cookie"),
            query: self.query,
        };
        let mut denied = None;
        for token in credentials.tokens(permission)? {
            let granted = match token {
                Ok(token) => ask(&token).await,
                Err(error) => Err(error.into()),
            };
            match granted {
                Ok(granted) => return Ok(granted),
                // The first token is the one that the client most likely means.
                Err(error) => denied = denied.or(Some(error)),
            }
        }
        Err(denied.unwrap_or(Denied::Missing(permission)).into())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.request.headers().get(name).ok().flatten()
    }

    /// Whether a browser navigates to the channel, for example because a user opened it in the address bar, and the
    /// deployment has a console to show it.
    pub fn leads_to_console(&self) -> bool {
        let is_navigation = self.header("Sec-Fetch-Dest").as_deref() == Some("document");
        is_navigation && files::are_deployed(self.env)
    }

    /// The URL of the console with `channel` selected, and with the token of the request's URL.
    pub fn console_url(&self, channel: &str) -> String {
        let mut location = format!("/?channel={channel}");
        let token = query::value(self.query, credentials::PARAMETER);
        if let Some(token) = token.ok().flatten() {
            location.push_str("&token=");
            location.extend(utf8_percent_encode(&token, NON_ALPHANUMERIC));
        }
        location
    }
}
