//! Finds the tokens of a request.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::auth::{COOKIE, MAX_TOKEN_CHARS, Permission, TokenError};
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

/// The most tokens of a request that are tried. Each of them may cost one verification of a signature.
pub const MAX_TOKENS: usize = 4;

/// The most characters of the base64 in an `Authorization` header with the scheme `Basic`. This leaves the user name
/// 4,095 bytes beside the longest token.
const MAX_BASIC_CHARS: usize = 2 * MAX_TOKEN_CHARS;

/// A token, or why it cannot be read.
pub type Found<'a> = Result<Cow<'a, str>, TokenError>;

impl Credentials<'_> {
    /// The tokens to try, in order, at most [`MAX_TOKENS`].
    ///
    /// - A `Bearer` token in the header has priority over the query. An empty one is returned, so that the request is
    ///   refused.
    /// - A token in the query has priority over the rest. An empty one is ignored.
    /// - The password of `Basic` in the header. The header may be for a proxy in front of the hub, to which a browser
    ///   sends it with every request, so it does not prevent the use of the query or the cookies.
    /// - Cookies, which permit subscribing only. Empty ones are ignored.
    ///
    /// Headers with other schemes are ignored. Fails with [`Problem::InvalidQuery`] if the query has two tokens.
    pub fn tokens(&self, permission: Permission) -> Result<Vec<Found<'_>>, Problem> {
        let authorization = self.authorization.as_deref();
        if let Some(token) = authorization.and_then(|header| after_scheme(header, "Bearer")) {
            return Ok(vec![Ok(token.into())]);
        }
        if let Some(token) = query::value_if_any(self.query, PARAMETER)? {
            return Ok(vec![Ok(token.into())]);
        }
        let basic = authorization.and_then(|header| after_scheme(header, "Basic"));
        let in_header = basic.map(|basic| password(basic).map(Cow::from));
        let cookies = self.cookie.iter();
        let cookies = cookies.filter(|_| permission == Permission::Subscribe);
        let in_cookies = cookies.flat_map(|cookies| tokens_in_cookies(cookies));
        let in_cookies = in_cookies.map(|token| Ok(token.into()));
        Ok(in_header
            .into_iter()
            .chain(in_cookies)
            .take(MAX_TOKENS)
            .collect())
    }
}

/// What follows the scheme in an `Authorization` header, if it has this scheme (RFC 9110, section 11.4).
fn after_scheme<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let separated = authorization.split_once(WHITE_SPACE);
    let (found, rest) = separated.unwrap_or((authorization, ""));
    found.eq_ignore_ascii_case(scheme).then(|| trim(rest))
}

/// The token that is the password in `basic`, the base64 of a user name, a colon and a password (RFC 7617). The user
/// name has no meaning.
fn password(basic: &str) -> Result<String, TokenError> {
    if basic.len() > MAX_BASIC_CHARS {
        return Err(TokenError::TooLong);
    }
    let decoded = STANDARD
        .decode(basic)
        .map_err(|_| TokenError::BasicEncoding)?;
    let mut parts = decoded.splitn(2, |byte| *byte == b':');
    let (Some(_user), Some(password)) = (parts.next(), parts.next()) else {
        return Err(TokenError::BasicEncoding);
    };
    let password = String::from_utf8(password.to_vec()).map_err(|_| TokenError::BasicPassword)?;
    let has_three_parts = password.split('.').count() == 3;
    has_three_parts
        .then_some(password)
        .ok_or(TokenError::BasicPassword)
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
        let shown = |token: Found| token.map_or_else(|error| error.to_string(), Cow::into_owned);
        tokens.into_iter().map(shown).collect()
    }

    fn basic(user_and_password: &str) -> String {
        format!("Basic {}", STANDARD.encode(user_and_password))
    }

    #[test]
    fn a_token_is_the_password_of_basic_whatever_the_user_name_is() {
        for user in ["", "user", "é", "a b", &"x".repeat(1_000)] {
            let header = basic(&format!("{user}:b.b.b"));
            for permission in [Permission::Publish, Permission::Subscribe] {
                assert_eq!(tokens(&header, "", "", permission), ["b.b.b"], "{user}");
            }
        }
        let latin_1 = format!("bAsIc \t {}", STANDARD.encode(b"\xe9:b.b.b"));
        assert_eq!(tokens(&latin_1, "", "", Permission::Publish), ["b.b.b"]);
    }

    #[test]
    fn a_basic_header_does_not_prevent_the_use_of_the_query_or_the_cookies() {
        let cookie = "sse_broadcaster_token=c.c.c";
        for header in [
            basic("user:pass"),
            basic("user:b.b.b"),
            "Basic ???".to_owned(),
        ] {
            let subscribe = |query: &str| tokens(&header, query, cookie, Permission::Subscribe);
            assert_eq!(subscribe("token=q.q.q"), ["q.q.q"]);
            assert_eq!(subscribe("")[1..], ["c.c.c"]);
            assert_eq!(tokens(&header, "", cookie, Permission::Publish).len(), 1);
        }
    }

    #[test]
    fn a_basic_header_without_a_token_is_an_error_that_says_why() {
        let error = |header: &str| tokens(header, "", "", Permission::Publish).join("|");
        let encoded = |text: &str| error(&format!("Basic {text}"));
        // The last ones are: no padding, too much of it, bits after the end, the other alphabet, white space.
        for bad in [
            "",
            "?",
            "user:b.b.b",
            "dXNlcg==",
            "dTpiLmIuYg",
            "dTpiLmIuYg=",
            "dTpiLmIuYg===",
            "dTpiLmIuYh==",
            "__-_",
            "dTpi LmIuYg==",
        ] {
            assert_eq!(encoded(bad), TokenError::BasicEncoding.to_string(), "{bad}");
        }
        assert_eq!(encoded("dTpiLmIuYg=="), "b.b.b");
        for bad in ["user:", "user:pass", "b.b.b:", "user:b.b", "user:b.b.b.b"] {
            let expected = TokenError::BasicPassword.to_string();
            assert_eq!(error(&basic(bad)), expected, "{bad}");
        }
        let not_utf_8 = STANDARD.encode(b"u:\xff.b.b");
        assert_eq!(encoded(&not_utf_8), TokenError::BasicPassword.to_string());
        let colon = basic("user:b:c.b.b");
        assert_eq!(error(&colon), "b:c.b.b", "a password may have colons");
    }

    #[test]
    fn a_basic_header_is_decoded_only_up_to_its_bound() {
        let longest = format!("u:{}.b.b", "x".repeat(MAX_BASIC_CHARS / 4 * 3 - 6));
        let header = basic(&longest);
        assert_eq!(header.len(), "Basic ".len() + MAX_BASIC_CHARS);
        assert_eq!(
            tokens(&header, "", "", Permission::Publish),
            [&longest[2..]]
        );
        let too_long = tokens(&basic(&format!("{longest}x")), "", "", Permission::Publish);
        assert_eq!(too_long, [TokenError::TooLong.to_string()]);
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
        assert_eq!(subscribe("Digest abc", "a=b&token=q.q.q", cookie), "q.q.q");
        assert_eq!(subscribe("", "token=", cookie), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token=c.c.c"), "c.c.c");
        assert_eq!(subscribe("", "", "sse_broadcaster_token="), "");
        assert_eq!(subscribe("", "", "x_sse_broadcaster_token=c.c.c"), "");
        assert_eq!(subscribe("", "tokens=q.q.q", ""), "");
    }

    #[test]
    fn at_most_four_tokens_are_tried_in_order() {
        let cookies = |header: &str, count: usize| {
            let pairs: Vec<String> = (1..=count).map(|n| format!("{COOKIE}={n}")).collect();
            tokens(header, "", &pairs.join("; "), Permission::Subscribe)
        };
        assert_eq!(cookies("", 3), ["1", "2", "3"]);
        assert_eq!(cookies("", 100), ["1", "2", "3", "4"]);
        assert_eq!(cookies(&basic("u:b.b.b"), 100), ["b.b.b", "1", "2", "3"]);
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
