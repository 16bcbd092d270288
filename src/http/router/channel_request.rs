//! A request to a channel, and its authorization.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Env;

use super::authorized::Authorized;
use crate::auth::{Denied, Grant, Permission};
use crate::http::credentials::{self, Credentials};
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::rate_limit::{self, PUBLISH_LIMIT, SUBSCRIBE_LIMIT};
use crate::http::response::Responder;
use crate::isolate::clock::now;
use crate::settings::Settings;

/// A request to a channel.
pub struct ChannelRequest<'a> {
    /// The id of the channel.
    pub channel: String,
    /// The request.
    pub request: &'a Request,
    /// The query of its URL.
    pub query: &'a str,
    /// The bindings of the deployment.
    pub env: &'a Env,
    /// The request's context of the runtime.
    pub context: &'a JsValue,
    /// The settings of the deployment.
    pub settings: &'a Settings,
    /// Makes the response.
    pub responder: &'a Responder,
}

impl<'a> ChannelRequest<'a> {
    /// Counts the request for the limits of its address, and checks that it has `permission`. Before this, the Worker
    /// does nothing that is expensive, and calls no object.
    pub async fn authorize(self, permission: Permission) -> Result<Authorized<'a>, Problem> {
        let limit = match permission {
            Permission::Publish => PUBLISH_LIMIT,
            Permission::Subscribe => SUBSCRIBE_LIMIT,
        };
        rate_limit::check(self.env, limit, self.request).await?;
        let grant = self.grant(permission).await?;
        Ok(Authorized::new(self, grant))
    }

    /// The grant of the first token that gives `permission`, if a token is needed.
    async fn grant(&self, permission: Permission) -> Result<Grant, Problem> {
        let access = &self.settings.access;
        if let Some(grant) = access.grant_without_token(permission, &self.channel) {
            return Ok(grant);
        }
        let credentials = Credentials {
            authorization: self.header("Authorization"),
            cookie: self.header("Cookie"),
            query: self.query,
        };
        let mut denied = None;
        for token in credentials.tokens(permission)? {
            let granted = match token {
                Ok(token) => {
                    let channel = &self.channel;
                    access.grant(permission, channel, Some(&token), now).await
                }
                Err(error) => Err(error.into()),
            };
            match granted {
                Ok(grant) => return Ok(grant),
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

    /// Whether a browser navigates to the channel, for example because a user opened it in the address bar.
    pub fn is_navigation(&self) -> bool {
        self.header("Sec-Fetch-Dest").as_deref() == Some("document")
    }

    /// The URL of the console with this channel selected, and with the token of the request's URL.
    pub fn console_url(&self) -> String {
        let mut location = format!("/?channel={}", self.channel);
        let token = query::value(self.query, credentials::PARAMETER);
        if let Some(token) = token.ok().flatten() {
            location.push_str("&token=");
            location.extend(utf8_percent_encode(&token, NON_ALPHANUMERIC));
        }
        location
    }
}
