//! Where a request carries its token. Pure.

use std::borrow::Cow;

use crate::auth::{COOKIE, Permission};
use crate::http::problem::Problem;
use crate::http::query;

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

/// The most cookies that are tried, because each of them can cost the check of a signature.
pub const MAX_COOKIES: usize = 4;

impl Credentials<'_> {
    /// The tokens to try in turn: the header's, or else the query's, or else, to listen, those of the cookies, of which
    /// at most [`MAX_COOKIES`] count. An empty token counts as none, except in the header, where it is refused. Fails
    /// with [`Problem::InvalidQuery`] where the query has two.
    pub fn tokens(&self, permission: Permission) -> Result<Vec<Cow<'_, str>>, Problem> {
        if let Some(token) = self.authorization.as_deref().and_then(bearer) {
            return Ok(vec![token.into()]);
        }
        let in_query = query::value(self.query, PARAMETER)?;
        if let Some(token) = in_query.filter(|token| !token.is_empty()) {
            return Ok(vec![token.into()]);
        }
        if permission != Permission::Subscribe {
            return Ok(Vec::new());
        }
        let in_cookies = self.cookie.iter().flat_map(|cookies| of_cookies(cookies));
        Ok(in_cookies.take(MAX_COOKIES).map(Cow::from).collect())
    }
}

/// The token of an `Authorization` that has the scheme `Bearer` (RFC 6750). Another scheme may be for a proxy in between.
fn bearer(authorization: &str) -> Option<&str> {
    let separated = authorization.split_once(WHITE_SPACE);
    let (scheme, token) = separated.unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("Bearer").then(|| trim(token))
}

/// A browser has several cookies of one name where they were set for several paths or domains, and sends all of them.
fn of_cookies(cookies: &str) -> impl Iterator<Item = &str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(name, _)| trim(name) == COOKIE);
    named
        .map(|(_, token)| trim(token))
        .filter(|token| !token.is_empty())
}

/// RFC 9110, section 5.6.3.
const WHITE_SPACE: [char; 2] = [' ', '\t'];

fn trim(text: &str) -> &str {
    text.trim_matches(WHITE_SPACE)
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(
        authorization: &str,
        query: &str,
        cookie: &str,
        permission: Permission,
    ) -> Vec<String> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let credentials = Credentials {
            authorization: given(authorization),
            cookie: given(cookie),
            query,
        };
        let tokens = credentials.tokens(permission).unwrap();
        tokens.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn the_header_wins_then_the_query_then_the_cookie() {
        let subscribe = |authorization: &str, query: &str, cookie: &str| {
            tokens(authorization, query, cookie, Permission::Subscribe).join(" ")
        };
        let cookie = "a=b; sse_broadcaster_token=c.c.c; d=e";
        assert_eq!(subscribe("Bearer h.h.h", "token=q.q.q", cookie), "h.h.h");
        for white_space in ["  ", "\t", " \t "] {
            let header = format!("bearer{white_space}h.h.h");
            assert_eq!(subscribe(&header, "token=q.q.q", cookie), "h.h.h");
        }
        assert_eq!(subscribe("Bearer", "token=q.q.q", cookie), "");
        assert_eq!(subscribe("Basic abc", "a=b&token=q.q.q", cookie), "q.q.q");
        assert_eq!(subscribe("", "token=", cookie), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token=c.c.c"), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token="), "");
        assert_eq!(subscribe("", "", "x_sse_broadcaster_token=c.c.c"), "");
        assert_eq!(subscribe("", "tokens=q.q.q", ""), "");
    }

    #[test]
    fn a_few_cookies_are_tried_in_turn() {
        let cookies = |count: usize| {
            let pairs: Vec<String> = (1..=count).map(|n| format!("{COOKIE}={n}")).collect();
            tokens("", "", &pairs.join("; "), Permission::Subscribe)
        };
        assert_eq!(cookies(3), ["1", "2", "3"]);
        assert_eq!(cookies(100), ["1", "2", "3", "4"]);
    }

    #[test]
    fn nobody_publishes_with_a_cookie() {
        let cookie = "sse_broadcaster_token=c.c.c";
        assert!(tokens("", "", cookie, Permission::Publish).is_empty());
        assert_eq!(tokens("", "token=q", cookie, Permission::Publish), ["q"]);
    }

    #[test]
    fn two_in_the_query_are_too_many() {
        let credentials = Credentials {
            query: "token=a&token=b",
            ..Credentials::default()
        };
        let tokens = credentials.tokens(Permission::Publish);
        assert!(matches!(tokens, Err(Problem::InvalidQuery(_))));
    }
}
