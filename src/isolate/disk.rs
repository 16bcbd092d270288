//! The files of the objects' storage, which the Worker can reach only under `npm run serve`.

use worker::{Env, Fetcher, Method, RequestInit};

use crate::logging::Line;

/// The binding of the service in `cli/serve/storage.mjs`, which only `npm run serve` has.
const BINDING: &str = "STORAGE";

/// How much space a publish needs in addition to twice its bytes. New databases and their indexes take some.
const MARGIN_BYTES: u64 = 256 << 10;

/// The result of a test of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is enough space.
    Enough,
    /// There is too little space.
    TooLittle,
    /// The test was not possible, because the process cannot open another file.
    Unknown,
}

/// The service that gives access to the files.
pub struct Disk(Fetcher);

/// Why the service refused a request.
struct Refusal {
    status: u16,
    reason: String,
}

impl Disk {
    /// Returns `None` if this deployment has no such service, as on Cloudflare.
    pub fn open(env: &Env) -> Option<Self> {
        Some(Self(env.service(BINDING).ok()?))
    }

    /// Tests whether a publish of `bytes` can be stored. Creates the reserve file if there is space for it.
    pub async fn room(&self, bytes: u64) -> Room {
        let needed = bytes.saturating_mul(2).saturating_add(MARGIN_BYTES);
        let path = format!("reserve?room={needed}");
        match self.request(Method::Put, &path).await {
            Ok(()) => Room::Enough,
            Err(Refusal { status: 503, .. }) => Room::Unknown,
            Err(_) => Room::TooLittle,
        }
    }

    /// Removes the reserve file, so that its space can be used.
    pub async fn remove_reserve(&self) -> Result<(), String> {
        self.remove("reserve").await
    }

    /// Removes the database of the object with this id.
    pub async fn remove_database(&self, object: &str) -> Result<(), String> {
        self.remove(&format!("channel/{object}")).await
    }

    async fn remove(&self, path: &str) -> Result<(), String> {
        let removed = self.request(Method::Delete, path).await;
        removed.map_err(|refusal| refusal.reason)
    }

    async fn request(&self, method: Method, path: &str) -> Result<(), Refusal> {
        let mut init = RequestInit::new();
        init.with_method(method);
        let response = self.0.fetch(format!("http://storage/{path}"), Some(init));
        let mut response = response.await.map_err(|error| Refusal {
            status: 500,
            reason: error.to_string(),
        })?;
        if response.status_code() == 204 {
            return Ok(());
        }
        Err(Refusal {
            status: response.status_code(),
            reason: response.text().await.unwrap_or_default(),
        })
    }
}

/// Where the data of a channel is. Log lines show it.
pub struct Location {
    channel: String,
    /// The id of the channel's object.
    object: String,
    is_file: bool,
}

impl Location {
    /// The location of `channel`, whose object has the id `object`.
    pub fn of(env: &Env, channel: &str, object: String) -> Self {
        Self {
            channel: channel.to_owned(),
            object,
            is_file: Disk::open(env).is_some(),
        }
    }

    /// The id of the channel's object.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Adds the location to a log line.
    pub fn name_in(&self, line: Line) -> Line {
        let line = line.field("id", &self.channel);
        let object = &self.object;
        if self.is_file {
            line.field("file", format!("channel/{object}.sqlite"))
        } else {
            line.field("object", object)
        }
    }
}
