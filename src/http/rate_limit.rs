//! Limits the requests of one client. The platform counts them, if the deployment has a binding for that.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Request;
use worker::{Env, RateLimiter};

use crate::http::problem::Problem;
use crate::logging::{Level, Line};

/// The binding that counts requests that need the permission to publish.
pub const PUBLISH_LIMIT: &str = "PUBLISH_LIMIT";

/// The binding that counts requests that need the permission to subscribe.
pub const SUBSCRIBE_LIMIT: &str = "SUBSCRIBE_LIMIT";

/// The header with the address of the client. Cloudflare sets it; anywhere else, any client can set it.
const ADDRESS_HEADER: &str = "CF-Connecting-IP";

/// Counts `request` for the address of its client. Fails with [`Problem::TooManyRequests`]. Lets the request through if
/// the deployment has no such binding, or if the binding fails, because a failed count is no reason to refuse events.
pub async fn check(env: &Env, binding: &'static str, request: &Request) -> Result<(), Problem> {
    let found = Reflect::get(env, &JsValue::from_str(binding)).unwrap_or_default();
    if found.is_undefined() {
        return Ok(());
    }
    // All requests without an address are counted together, like the requests of one client.
    let address = request.headers().get(ADDRESS_HEADER).ok().flatten();
    let limiter: RateLimiter = found.unchecked_into();
    match limiter.limit(address.unwrap_or_default()).await {
        Ok(outcome) if outcome.success => Ok(()),
        Ok(_) => Err(Problem::TooManyRequests { binding }),
        Err(error) => {
            Level::Warn.log(|| {
                Line::new("rate limit failed")
                    .field("binding", binding)
                    .error(&error)
            });
            Ok(())
        }
    }
}
