//! Headers that tell a browser how to treat the files in `public/`.
//!
//! The console is one file with an inline script and an inline style. Its Content-Security-Policy allows exactly these
//! two, by their hashes, so markup that an attacker injects into the page runs no script. Each response computes the
//! hashes from the page that it sends, so they always match the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use worker::{Headers, Response, Result};

use crate::http::media_type;
use crate::http::response::NOSNIFF;

const HTML: &str = "text/html";
const NOT_MODIFIED: u16 = 304;

/// The headers of every page besides its policy. Old browsers know `X-Frame-Options` but not `frame-ancestors`. The
/// address of the page may have a token for a moment, so no request may send that address as its referrer.
const PAGE_HEADERS: [(&str, &str); 2] = [
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
];

/// Adds the headers to `file`, a response of the assets to a `GET`: `nosniff` to every file, and the policy and
/// `PAGE_HEADERS` to pages. Reads a page into memory to hash its scripts and styles; other files are streamed.
pub async fn protect(mut file: Response) -> Result<Response> {
    let headers = file.headers().clone();
    headers.set(NOSNIFF.0, NOSNIFF.1)?;
    // A 304 has no content to hash. The browser keeps the headers of the page that it has stored.
    if is_page(&headers)? && file.status_code() != NOT_MODIFIED {
        let page = file.bytes().await?;
        let policy = policy(&String::from_utf8_lossy(&page));
        headers.set("Content-Security-Policy", &policy)?;
        for (name, value) in PAGE_HEADERS {
            headers.set(name, value)?;
        }
        let (builder, _) = file.into_parts();
        return Ok(builder.with_headers(headers).fixed(page));
    }
    Ok(file.with_headers(headers))
}

fn is_page(headers: &Headers) -> Result<bool> {
    let content_type = headers.get("Content-Type")?.unwrap_or_default();
    Ok(media_type::is(&content_type, HTML))
}

/// The Content-Security-Policy of the page `html`. The page may run its own inline scripts and styles. It may connect
/// to any server, because the user enters a hub in the field *Server*. Nothing else is allowed, and no page may frame
/// it.
fn policy(html: &str) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src http: https:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes(html, "script"),
        hashes(html, "style"),
    )
}

/// The sources that allow the inline elements of this name. Elements with attributes are left out, so their content
/// does not run.
fn hashes(html: &str, element: &str) -> String {
    // A browser hashes the parsed page, in which every line end is a line feed.
    let html = html.replace("\r\n", "\n").replace('\r', "\n");
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    let contents = html.split(&start).skip(1);
    let contents = contents.filter_map(|rest| rest.split_once(&end));
    let hashes: Vec<_> = contents
        .map(|(content, _)| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content))))
        .collect();
    if hashes.is_empty() {
        return "'none'".to_owned();
    }
    hashes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with `printf CONTENT | openssl dgst -sha256 -binary | base64` from `a();`, `b\nb` and `c{}`.
    const A: &str = "'sha256-OVLEFZR89oYYkV3AI9/M2qwUUdT/ymKO659RpVAhzEk='";
    const B: &str = "'sha256-bWQCFVqlrYKojzb3QFHNiYaBNPGWbAxP1StEUmg1mN4='";
    const C: &str = "'sha256-ftC8Ai5hOUB0hYxJ5eL4hEFGrnb9Asw7dO2PtFDjO0I='";

    #[test]
    fn a_policy_allows_the_inline_elements_of_its_page() {
        let html = "<style>c{}</style><script>a();</script><p>text</p><script>b\nb</script>";
        let policy = policy(html);
        let start = format!("default-src 'none'; script-src {A} {B}; style-src {C}; ");
        assert!(policy.starts_with(&start), "{policy}");
    }

    #[test]
    fn a_page_without_inline_scripts_may_run_no_script() {
        for html in [
            "",
            "<p>text</p>",
            "<script src=x></script>",
            "<script>no end",
        ] {
            assert_eq!(hashes(html, "script"), "'none'", "{html}");
        }
    }

    #[test]
    fn all_line_ends_are_hashed_as_line_feeds() {
        for html in ["<script>b\r\nb</script>", "<script>b\rb</script>"] {
            assert_eq!(hashes(html, "script"), B);
        }
    }
}
