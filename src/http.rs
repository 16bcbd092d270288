//! Requests and responses: which request goes where, what it asks for, and how it is answered.

pub mod cors;
pub mod credentials;
pub mod files;
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
