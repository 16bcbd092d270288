//! The headers of frequent responses. They are made once and used again, because each header costs a call into
//! JavaScript, and garbage. The runtime copies them into each response.

use std::cell::RefCell;
use std::collections::HashMap;

use web_sys::ResponseInit;
use worker::{Headers, Result};

use crate::http::cors::Cors;

/// The type of streams. The standard says that they are UTF-8, but some clients decode `text/*` without a charset as
/// ISO-8859-1.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// The kind of a response.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// A JSON document.
    Json,
    /// A stream.
    EventStream,
}

thread_local! {
    static TEMPLATES: RefCell<HashMap<(Template, Cors), ResponseInit>> = RefCell::default();
}

impl Template {
    fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json => &[
                ("Content-Type", "application/json"),
                ("Cache-Control", "no-store"),
            ],
            Self::EventStream => &[
                ("Content-Type", EVENT_STREAM),
                ("Cache-Control", "no-cache, no-transform"),
                // Otherwise nginx and similar proxies would collect a stream in buffers.
                ("X-Accel-Buffering", "no"),
            ],
        }
    }

    /// The status 200 with the headers of this kind, and with those that `headers` makes. These may depend only on
    /// `cors`.
    pub fn init(
        self,
        cors: &Cors,
        headers: impl FnOnce() -> Result<Headers>,
    ) -> Result<ResponseInit> {
        let key = (self, cors.clone());
        if let Some(known) = TEMPLATES.with_borrow(|templates| templates.get(&key).cloned()) {
            return Ok(known);
        }
        let headers = headers()?;
        for (name, value) in self.headers() {
            headers.set(name, value)?;
        }
        let init = ResponseInit::new();
        init.set_headers(&headers.0);
        TEMPLATES.with_borrow_mut(|templates| templates.insert(key, init.clone()));
        Ok(init)
    }
}
