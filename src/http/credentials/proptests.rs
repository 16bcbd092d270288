//! Properties of the tokens that are found in a request.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, hidden, query_of, text};

const PIECES: &[&str] = &["eyJ", ".", "-", "_", "A", "=", "é", "%"];

/// Text like a token, without characters that would end it in a header.
fn tokens() -> impl Strategy<Value = String> {
    text(PIECES, 4).prop_map(|text| text.replace([' ', '\t', ';'], ""))
}

/// The token in an `Authorization` header.
#[derive(Clone, Debug)]
enum InHeader {
    None,
    Bearer(String),
    Basic(Result<String, TokenError>),
}

/// An `Authorization` header, and the token in it.
fn authorization() -> impl Strategy<Value = (Option<String>, InHeader)> {
    let schemes = [
        "Bearer", "Bearer", "bearer", "BEARER", "Digest", "Bearer2", "Basic2", "bear", "",
    ];
    let spaces = select(&[" ", " ", "  ", "", " \t", "\t", "\t "][..]);
    let given = (select(schemes.to_vec()), spaces, tokens()).prop_map(|(scheme, spaces, token)| {
        let is_bearer =
            scheme.eq_ignore_ascii_case("bearer") && (!spaces.is_empty() || token.is_empty());
        let header = format!("{scheme}{spaces}{token}");
        let token = if is_bearer {
            InHeader::Bearer(token)
        } else {
            InHeader::None
        };
        (Some(header), token)
    });
    prop_oneof![1 => Just((None, InHeader::None)), 2 => given, 1 => basic()]
}

/// An `Authorization` header with the scheme `Basic`, and the token in it or what is wrong.
fn basic() -> impl Strategy<Value = (Option<String>, InHeader)> {
    let scheme = select(&["Basic ", "basic ", "BASIC\t"][..]);
    let user = text(&["user", "é", " ", ".", "/"], 3).prop_map(|user| user.replace(':', ""));
    let password = text(&["eyJ", ".", ".", "a.b.c", ":", "é", " "], 4);
    let edit = select(&["", "", "", "", "no colon", "no padding", "?", "\\"][..]);
    (scheme, user, password, edit).prop_map(|(scheme, user, password, edit)| {
        let colon = if edit == "no colon" { "" } else { ":" };
        let password = if edit == "no colon" {
            "x".to_owned()
        } else {
            password
        };
        let mut encoded = STANDARD.encode(format!("{user}{colon}{password}"));
        if edit == "no padding" {
            encoded = encoded.trim_end_matches('=').to_owned();
        } else if edit != "no colon" {
            encoded.push_str(edit);
        }
        let is_readable = edit.is_empty() || (edit == "no padding" && encoded.len() % 4 == 0);
        let token = if !is_readable {
            Err(TokenError::BasicEncoding)
        } else if password.matches('.').count() == 2 {
            Ok(password)
        } else {
            Err(TokenError::BasicPassword)
        };
        (Some(format!("{scheme}{encoded}")), InHeader::Basic(token))
    })
}

fn cookies() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = [
        COOKIE,
        COOKIE,
        "other",
        "x_sse_broadcaster_token",
        "SSE_BROADCASTER_TOKEN",
        "",
    ];
    let names = select(names.to_vec()).prop_map(str::to_owned);
    prop_oneof![
        4 => prop::collection::vec((names.clone(), tokens()), 0..3),
        1 => prop::collection::vec((names, tokens()), 0..16),
        1 => prop::collection::vec((Just(COOKIE.to_owned()), tokens()), 2..9),
    ]
}

#[test]
fn a_request_has_one_token_or_a_password_and_to_subscribe_a_few_cookies() {
    let names = select(&["token", "token", "tokens", "Token"][..]).prop_map(str::to_owned);
    let pairs = prop::collection::vec((names, text(PIECES, 3)), 0..3);
    let permissions = select(&[Permission::Publish, Permission::Subscribe][..]);
    let spaces = select(&["; ", ";", " ; "][..]);
    let cases = (
        authorization(),
        pairs,
        hidden(),
        cookies(),
        spaces,
        permissions,
    );
    let classes = [
        "header",
        "query",
        "password",
        "no password",
        "cookie",
        "several cookies",
        "too many cookies",
        "none",
        "two tokens in the query",
        "a cookie that is ignored",
    ];
    check(
        &classes,
        cases,
        |((authorization, in_header), pairs, hidden, cookies, spaces, permission), seen| {
            let query = query_of(&pairs, &hidden);
            let jar: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let credentials = Credentials {
                authorization,
                cookie: (!jar.is_empty()).then(|| jar.join(spaces)),
                query: &query,
            };
            let owned = |token: Found| token.map(Cow::into_owned);
            let found = credentials
                .tokens(permission)
                .map(|tokens| tokens.into_iter().map(owned).collect::<Vec<_>>());
            if let InHeader::Bearer(bearer) = in_header {
                seen.note("header");
                prop_assert_eq!(found, Ok(vec![Ok(bearer)]));
                return Ok(());
            }
            let given: Vec<&String> = pairs
                .iter()
                .filter(|(name, _)| name == "token")
                .map(|(_, value)| value)
                .collect();
            if given.len() > 1 {
                seen.note("two tokens in the query");
                prop_assert!(matches!(found, Err(Problem::InvalidQuery(_))));
                return Ok(());
            }
            let in_query = given.into_iter().find(|value| !value.is_empty()).cloned();
            if let Some(in_query) = in_query {
                seen.note("query");
                prop_assert_eq!(found, Ok(vec![Ok(in_query)]));
                return Ok(());
            }
            let mut in_cookies: Vec<Result<String, TokenError>> = cookies
                .iter()
                .filter(|(name, value)| name == COOKIE && !value.is_empty())
                .map(|(_, value)| Ok(value.clone()))
                .collect();
            let counts = permission == Permission::Subscribe;
            seen.note(match in_cookies.len() {
                0 => "none",
                _ if !counts => "a cookie that is ignored",
                1 => "cookie",
                2..=MAX_TOKENS => "several cookies",
                _ => "too many cookies",
            });
            in_cookies.truncate(if counts { MAX_TOKENS } else { 0 });
            let mut expected = Vec::new();
            if let InHeader::Basic(token) = in_header {
                seen.note(if token.is_ok() {
                    "password"
                } else {
                    "no password"
                });
                expected.push(token);
            }
            expected.extend(in_cookies);
            expected.truncate(MAX_TOKENS);
            prop_assert_eq!(found, Ok(expected));
            Ok(())
        },
    );
}

#[test]
fn tokens_are_found_in_any_header_without_an_error() {
    let pieces = &[
        "Bearer ",
        "bearer ",
        "Basic ",
        "dXNlcjphLmIuYw==",
        " ",
        ";",
        "=",
        "; sse_broadcaster_token=a",
        "sse_broadcaster_token=",
        "a",
        "é",
        "\0",
        ",",
        "\"",
    ];
    let cases = (
        prop::option::of(text(pieces, 5)),
        prop::option::of(text(pieces, 8)),
    );
    check(
        &["header", "cookie", "none"],
        cases,
        |(authorization, cookie), seen| {
            let credentials = Credentials {
                authorization,
                cookie,
                query: "",
            };
            let tokens = credentials.tokens(Permission::Subscribe).unwrap();
            let in_header = credentials.tokens(Permission::Publish).unwrap();
            seen.note(match (in_header.is_empty(), tokens.is_empty()) {
                (false, _) => "header",
                (true, false) => "cookie",
                (true, true) => "none",
            });
            // A token is part of the header that it was read from, without white space around it, or is a password.
            for token in tokens.iter().chain(&in_header).flatten() {
                let from = [&credentials.authorization, &credentials.cookie]
                    .into_iter()
                    .flatten();
                let is_password = token == "a.b.c";
                prop_assert!(is_password || from.clone().any(|from| from.contains(token.as_ref())));
                prop_assert!(!token.starts_with([' ', '\t']) && !token.ends_with([' ', '\t']));
            }
            prop_assert!(in_header.len() <= 1 && tokens.starts_with(&in_header));
            prop_assert!(tokens.len() <= MAX_TOKENS);
            Ok(())
        },
    );
}
