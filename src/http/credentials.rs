//! Finds the tokens of a request.

use std::borrow::Cow;

use crate::auth::{COOKIE, Permission};
use crate::http::problem::Problem;
use crate::http::query;

/// The query parameter that may hold a token. A browser's `EventSource` cannot set a header.
pub const PARAMETER: &str = "token";

/// The parts of a request that may hold a token.
#[derive(Default)]
pub struct Credentials<'a> {
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Cookie`.
    pub cookie: Option<String>,
    /// The query of the URL.
    pub query: &'a str,
}

/// The number of cookies that are tried. Each of them may cost one verification of a signature.
pub const MAX_COOKIES: usize = 4;

impl Credentials<'_> {
    /// The tokens to try, in order. The header has priority over the query, and the query over the cookies.
    ///
    /// Cookies permit subscribing only, and only the first [`MAX_COOKIES`] count. An empty token in the query or a
    /// cookie is ignored. An empty token in the header is returned, so that the request is refused. Fails with
    /// [`Problem::InvalidQuery`] if the query has two tokens.
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
        let in_cookies = self
            .cookie
            .iter()
            .flat_map(|cookies| tokens_in_cookies(cookies));
        Ok(in_cookies.take(MAX_COOKIES).map(Cow::from).collect())
    }
}

/// The token in an `Authorization` header with the scheme `Bearer` (RFC 6750). A header with another scheme is ignored,
/// because it may be for a proxy in front of the hub.
fn bearer(authorization: &str) -> Option<&str> {
    let separated = authorization.split_once(WHITE_SPACE);
    let (scheme, token) = separated.unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("Bearer").then(|| trim(token))
}

/// The tokens in a `Cookie` header. A browser sends several cookies of the same name if they were set for several paths
/// or domains.
fn tokens_in_cookies(cookies: &str) -> impl Iterator<Item = &str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(name, _)| trim(name) == COOKIE);
    named
        .map(|(_, token)| trim(token))
        .filter(|token| !token.is_empty())
}

/// Optional white space (RFC 9110, section 5.6.3).
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
    fn a_token_in_the_header_wins_over_the_query_and_the_query_over_cookies() {
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
    fn at_most_four_cookies_are_tried_in_order() {
        let cookies = |count: usize| {
            let pairs: Vec<String> = (1..=count).map(|n| format!("{COOKIE}={n}")).collect();
            tokens("", "", &pairs.join("; "), Permission::Subscribe)
        };
        assert_eq!(cookies(3), ["1", "2", "3"]);
        assert_eq!(cookies(100), ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_cookie_does_not_permit_publishing() {
        let cookie = "sse_broadcaster_token=c.c.c";
        assert!(tokens("", "", cookie, Permission::Publish).is_empty());
        assert_eq!(tokens("", "token=q", cookie, Permission::Publish), ["q"]);
    }

    #[test]
    fn two_tokens_in_the_query_are_refused() {
        let credentials = Credentials {
            query: "token=a&token=b",
            ..Credentials::default()
        };
        let tokens = credentials.tokens(Permission::Publish);
        assert!(matches!(tokens, Err(Problem::InvalidQuery(_))));
    }
}
