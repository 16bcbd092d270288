//! Requests and responses: finds the endpoint of a request, checks the request, calls the channel's object, and makes
//! the response.
//!
//! The modules, in the order of their dependencies: each uses only those before it.
//!
//! - [`url`]: splits a URL
//! - [`invocation`]: a request, and the objects that the runtime passes with it
//! - [`method`]: the methods of HTTP
//! - [`route`]: the table of all paths and methods
//! - [`channel_id`]: the ids of channels
//! - [`idempotency_key`]: the keys of publishes
//! - [`media_type`]: `Accept` and `Content-Type`
//! - [`problem`]: everything that can go wrong
//! - [`query`]: the parameters of a query
//! - [`target`]: the path and the query of a request
//! - [`subscribe`]: where a stream, or a page of the history, starts
//! - [`publish`]: reads the events of a publish
//! - [`cors`]: which pages of other origins may read a response
//! - [`response`]: makes responses
//! - [`page_headers`]: the headers of files
//! - [`files`]: the files of the console
//! - [`rate_limit`]: limits the requests of one client
//! - [`credentials`]: finds the tokens of a request
//! - [`object`]: calls to the object of a channel
//! - [`gate`]: limits how fast objects are opened
//! - [`held`]: streams that the Worker holds
//! - [`router`]: dispatches a request to its endpoint

pub mod channel_id;
pub mod cors;
pub mod credentials;
pub mod files;
pub mod gate;
pub mod held;
pub mod idempotency_key;
pub mod invocation;
pub mod media_type;
pub mod method;
pub mod object;
pub mod page_headers;
pub mod problem;
pub mod publish;
pub mod query;
pub mod rate_limit;
pub mod response;
pub mod route;
pub mod router;
pub mod subscribe;
pub mod target;
pub mod url;
