//! The paths and methods of the API. Pure.
//!
//! [`API`] is the only list of them. The router dispatches by it, the header `Allow` is made from it, and a test
//! compares it with `public/openapi.yaml`.

use crate::auth::Permission;
use crate::http::method::Method;

/// The target of a request for the server as a whole (RFC 9110, section 7.1).
pub const SERVER_PATH: &str = "*";

/// What a method of a path does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Says that the Worker runs.
    Health,
    /// Does something with a channel.
    Channel(ChannelEndpoint),
}

/// What can be done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelEndpoint {
    /// Opens a stream.
    Subscribe,
    /// Gives the status and the headers of a stream without opening one.
    CheckSubscribe,
    /// Deletes the channel.
    DeleteChannel,
    /// Publishes events.
    Publish,
    /// Publishes events, and ends the channel.
    EndChannel,
    /// Reads a page of the history.
    ReadEvents,
    /// Reads the counters.
    ReadStats,
}

impl ChannelEndpoint {
    /// The permission that a request needs.
    pub fn permission(self) -> Permission {
        match self {
            Self::Subscribe | Self::CheckSubscribe => Permission::Subscribe,
            Self::DeleteChannel
            | Self::Publish
            | Self::EndChannel
            | Self::ReadEvents
            | Self::ReadStats => Permission::Publish,
        }
    }

    /// The endpoint for a path that names several channels; `None` if this endpoint takes one channel.
    pub fn of_list(self) -> Option<ListEndpoint> {
        match self {
            Self::Subscribe => Some(ListEndpoint::Subscribe),
            Self::CheckSubscribe => Some(ListEndpoint::CheckSubscribe),
            Self::Publish => Some(ListEndpoint::Publish),
            Self::DeleteChannel | Self::EndChannel | Self::ReadEvents | Self::ReadStats => None,
        }
    }

    /// Whether a request may change the channel.
    pub fn changes_channel(self) -> bool {
        match self {
            Self::DeleteChannel | Self::Publish | Self::EndChannel => true,
            Self::Subscribe | Self::CheckSubscribe | Self::ReadEvents | Self::ReadStats => false,
        }
    }
}

/// What can be done with several channels in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEndpoint {
    /// Opens a stream of all channels.
    Subscribe,
    /// Gives the status and the headers of a stream of all channels without opening one.
    CheckSubscribe,
    /// Publishes the same events to each channel.
    Publish,
}

/// A path of the API, with what its methods do. Every path also takes `OPTIONS`.
#[derive(Debug, PartialEq, Eq)]
pub struct ApiPath {
    /// The path. `{id}` stands for the id of a channel, or for a list of them.
    pub pattern: &'static str,
    /// The methods, in the order in which `Allow` lists them.
    pub endpoints: &'static [(Method<'static>, Endpoint)],
}

use ChannelEndpoint::{
    CheckSubscribe, DeleteChannel, EndChannel, Publish, ReadEvents, ReadStats, Subscribe,
};
use Endpoint::{Channel, Health};
use Method::{Delete, Get, Head, Post};

/// All paths of the API. The test of `public/openapi.yaml` reads these lines.
#[rustfmt::skip]
pub const API: &[ApiPath] = &[
    ApiPath {
        pattern: "/channels/{id}",
        endpoints: &[
            (Get, Channel(Subscribe)),
            (Head, Channel(CheckSubscribe)),
            (Delete, Channel(DeleteChannel)),
        ],
    },
    ApiPath {
        pattern: "/channels/{id}/broadcast",
        endpoints: &[(Post, Channel(Publish))],
    },
    ApiPath {
        pattern: "/channels/{id}/end",
        endpoints: &[(Post, Channel(EndChannel))],
    },
    ApiPath {
        pattern: "/channels/{id}/events",
        endpoints: &[(Get, Channel(ReadEvents)), (Head, Channel(ReadEvents))],
    },
    ApiPath {
        pattern: "/channels/{id}/stats",
        endpoints: &[(Get, Channel(ReadStats)), (Head, Channel(ReadStats))],
    },
    ApiPath {
        pattern: "/healthz",
        endpoints: &[(Get, Health), (Head, Health)],
    },
];

/// The `Allow` of a file.
pub const FILE_METHODS: &str = "GET, HEAD, OPTIONS";

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// A path of the API.
    Api {
        /// The row of the table.
        path: &'static ApiPath,
        /// The segment in the place of `{id}`, still percent-encoded. It is not empty.
        id: Option<&'a str>,
    },
    /// The server as a whole.
    Server,
    /// Any other path. There may be a file of this name.
    File,
}

impl<'a> Route<'a> {
    /// Finds what `path`, still percent-encoded, names.
    pub fn of(path: &'a str) -> Self {
        if path == SERVER_PATH {
            return Self::Server;
        }
        let found = API
            .iter()
            .find_map(|row| Some((row, row.match_path(path)?)));
        match found {
            Some((row, id)) => Self::Api { path: row, id },
            None => Self::File,
        }
    }
}

impl ApiPath {
    /// The endpoint of a method.
    pub fn endpoint(&self, method: Method) -> Option<Endpoint> {
        let found = self.endpoints.iter().find(|(known, _)| *known == method);
        found.map(|(_, endpoint)| *endpoint)
    }

    /// The value of `Allow`.
    pub fn allow(&self) -> String {
        let methods = self.endpoints.iter().map(|(method, _)| *method);
        list(methods.chain([Method::Options]))
    }

    /// Compares the pattern with a path. If they match, returns the segment in the place of `{id}`, if there is one.
    fn match_path<'a>(&self, path: &'a str) -> Option<Option<&'a str>> {
        let mut id = None;
        let mut segments = path.split('/');
        for part in self.pattern.split('/') {
            let segment = segments.next()?;
            if part == "{id}" && !segment.is_empty() {
                id = Some(segment);
            } else if part != segment {
                return None;
            }
        }
        segments.next().is_none().then_some(id)
    }
}

/// The value of `Allow` for the server as a whole.
pub fn all_methods() -> String {
    list(Method::KNOWN.into_iter())
}

fn list(methods: impl Iterator<Item = Method<'static>>) -> String {
    let names: Vec<&str> = methods.map(Method::name).collect();
    names.join(", ")
}

/// The paths below that of a channel, as a list in a sentence.
pub fn actions_of_channels() -> String {
    let below = |path: &ApiPath| path.pattern.strip_prefix("/channels/{id}/");
    let actions = API.iter().filter_map(below);
    let actions = actions.map(|it| format!("/{it}")).collect();
    in_a_sentence(actions)
}

/// A sentence that names the paths of the API that take `method`, with a space before it. Empty if there are none.
pub fn paths_for(method: &str) -> String {
    let takes = |path: &&ApiPath| path.endpoint(Method::parse(method)).is_some();
    let paths: Vec<_> = API
        .iter()
        .filter(takes)
        .map(|it| it.pattern.to_owned())
        .collect();
    if paths.is_empty() {
        return String::new();
    }
    format!(" {method} goes to {}.", in_a_sentence(paths))
}

fn in_a_sentence(mut items: Vec<String>) -> String {
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} and {last}", items.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests;
