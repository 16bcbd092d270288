//! Where a request carries its token. Pure.

use std::borrow::Cow;

use crate::access::{COOKIE, Permission};
use crate::problem::Problem;
use crate::query;

/// The query's parameter, for those who can set no header: a browser's `EventSource`.
pub const PARAMETER: &str = "token";

/// The parts of a request that may hold a token.
#[derive(Default)]
pub struct Credentials<'a> {
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Cookie`.
    pub cookie: Option<String>,
    /// The URL's query.
    pub query: &'a str,
}

impl Credentials<'_> {
    /// The token: the header's, or else the query's, or else, to listen, the cookie's. An empty one counts as none,
    /// except in the header, where it is refused. Fails with [`Problem::InvalidQuery`] where the query has two.
    pub fn token(&self, permission: Permission) -> Result<Option<Cow<'_, str>>, Problem> {
        if let Some(token) = self.authorization.as_deref().and_then(bearer) {
            return Ok(Some(token.into()));
        }
        let in_query = query::value(self.query, PARAMETER)?;
        if let Some(token) = in_query.filter(|token| !token.is_empty()) {
            return Ok(Some(token.into()));
        }
        if permission != Permission::Subscribe {
            return Ok(None);
        }
        let in_cookie = self.cookie.as_deref().and_then(cookie);
        Ok(in_cookie.map(Cow::from))
    }
}

/// The token of an `Authorization` that has the scheme `Bearer` (RFC 6750). Another scheme may be for a proxy in between.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("Bearer").then(|| trim(token))
}

fn cookie(cookies: &str) -> Option<&str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
    let mut tokens = pairs.filter(|(name, _)| trim(name) == COOKIE);
    tokens.find_map(|(_, token)| Some(trim(token)).filter(|token| !token.is_empty()))
}

/// Without what HTTP takes for white space (RFC 9110, section 5.6.3).
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod outside;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(
        authorization: &str,
        query: &str,
        cookie: &str,
        permission: Permission,
    ) -> Option<String> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let credentials = Credentials {
            authorization: given(authorization),
            cookie: given(cookie),
            query,
        };
        credentials.token(permission).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn the_header_wins_then_the_query_then_the_cookie() {
        let subscribe = |authorization, query, cookie| {
            let token = token(authorization, query, cookie, Permission::Subscribe);
            token.unwrap_or_default()
        };
        let cookie = "a=b; sse_broadcaster_token=c.c.c; d=e";
        assert_eq!(subscribe("Bearer h.h.h", "token=q.q.q", cookie), "h.h.h");
        assert_eq!(subscribe("bearer  h.h.h", "", ""), "h.h.h");
        assert_eq!(subscribe("Bearer", "token=q.q.q", cookie), "");
        assert_eq!(subscribe("Basic abc", "a=b&token=q.q.q", cookie), "q.q.q");
        assert_eq!(subscribe("", "token=", cookie), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token=c.c.c"), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token="), "");
        assert_eq!(subscribe("", "", "x_sse_broadcaster_token=c.c.c"), "");
        assert_eq!(subscribe("", "tokens=q.q.q", ""), "");
    }

    #[test]
    fn nobody_publishes_with_a_cookie() {
        let cookie = "sse_broadcaster_token=c.c.c";
        assert_eq!(token("", "", cookie, Permission::Publish), None);
        let in_query = token("", "token=q", cookie, Permission::Publish);
        assert_eq!(in_query.as_deref(), Some("q"));
    }

    #[test]
    fn two_in_the_query_are_too_many() {
        let credentials = Credentials {
            query: "token=a&token=b",
            ..Credentials::default()
        };
        let token = credentials.token(Permission::Publish);
        assert!(matches!(token, Err(Problem::InvalidQuery(_))));
    }
}
