//! How often one client may come: counted by the platform, where the deployment has a binding for it.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Request;
use worker::{Env, RateLimiter};

use crate::http::problem::Problem;
use crate::logging::{Level, Line};

/// The binding that counts what takes the permission to publish.
pub const PUBLISH_LIMIT: &str = "PUBLISH_LIMIT";

/// The binding that counts what takes the permission to subscribe.
pub const SUBSCRIBE_LIMIT: &str = "SUBSCRIBE_LIMIT";

/// The header in which Cloudflare says where a request comes from. Elsewhere anyone can send it.
const ADDRESS_HEADER: &str = "CF-Connecting-IP";

/// Counts `request` for its client's address. Fails with [`Problem::TooManyRequests`]. Lets everything through where there
/// is no such binding, and where it fails: it is no reason to lose events.
pub async fn check(env: &Env, binding: &'static str, request: &Request) -> Result<(), Problem> {
    let found = Reflect::get(env, &JsValue::from_str(binding)).unwrap_or_default();
    if found.is_undefined() {
        return Ok(());
    }
    // Requests without an address count together.
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
