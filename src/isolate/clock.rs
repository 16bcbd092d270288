//! The time.

use sse_hub::Millis;

/// Returns the time in milliseconds since 1970. On Cloudflare the clock stands still while code runs.
pub fn now() -> Millis {
    js_sys::Date::now() as Millis
}
