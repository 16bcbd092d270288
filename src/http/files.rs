//! The files of the console, in `public/`.
//!
//! The Worker asks for a file with a URL and headers of its own. The runtime quotes URLs in its errors, and the URL of
//! a client may have a token in its query.

use web_sys::{Headers, Request, Response, ResponseInit};
use worker::{Env, RequestInit, RequestRedirect};

use crate::http::method::Method;
use crate::http::page_headers;
use crate::http::problem::Problem;
use crate::http::response::Failure;
use crate::http::target::Target;

/// The binding of the files in `public/`.
const BINDING: &str = "ASSETS";

/// The modules of the client, which pages of all origins may import. They are the same for all of them.
const CLIENT: [&str; 2] = ["/client.js", "/client-tabs.js"];

/// The longest path that may name a file. The files of the console have short names.
const MAX_PATH_BYTES: usize = 256;

/// The request headers that the response depends on.
const CONDITIONS: [&str; 2] = ["If-None-Match", "If-Modified-Since"];

/// Whether this deployment has the files of the console.
pub fn are_deployed(env: &Env) -> bool {
    env.assets(BINDING).is_ok()
}

/// Returns the file that a path names, or `None` if the file exists but the method is not `GET` or `HEAD`. Fails with
/// [`Problem::NotFound`].
pub async fn answer(
    request: &Request,
    method: Method<'_>,
    target: Target<'_>,
    env: &Env,
) -> Result<Option<Response>, Failure> {
    let reads = matches!(method, Method::Get | Method::Head);
    let mut init = RequestInit::new();
    // The headers of a page depend on its content, so a HEAD also needs a GET.
    init.with_method(if reads {
        worker::Method::Get
    } else {
        worker::Method::Head
    });
    // The client follows redirects.
    init.with_redirect(RequestRedirect::Manual);
    if reads {
        let headers = request.headers();
        for name in CONDITIONS {
            if let Some(value) = headers.get(name).map_err(worker::Error::from)? {
                init.headers.set(name, &value)?;
            }
        }
    }
    // The runtime needs a long time to look for a file if the path has many segments.
    if target.path.len() > MAX_PATH_BYTES {
        return Err(Problem::NotFound.into());
    }
    // A hub that is mounted in another Worker has no files.
    let Ok(assets) = env.assets(BINDING) else {
        return Err(Problem::NotFound.into());
    };
    let url = format!("https://hub{}", target.path);
    let answer = assets.fetch(url, Some(init)).await?;
    if answer.status_code() == 404 {
        return Err(Problem::NotFound.into());
    }
    if !reads {
        return Ok(None);
    }
    let answer: Response = page_headers::protect(answer).await?.into();
    if CLIENT.contains(&target.path) {
        let headers = answer.headers();
        headers
            .set("Access-Control-Allow-Origin", "*")
            .map_err(worker::Error::from)?;
    }
    match answer.status() {
        300..=399 => Ok(Some(with_query(answer, target)?)),
        _ => Ok(Some(answer)),
    }
}

/// Adds the query of the request to the `Location` of a redirect, because the console reads it.
fn with_query(response: Response, target: Target<'_>) -> worker::Result<Response> {
    let location = response.headers().get("Location")?;
    let Some(location) = location.filter(|_| !target.query.is_empty()) else {
        return Ok(response);
    };
    let headers = Headers::new_with_headers(&response.headers())?;
    headers.set("Location", &format!("{location}?{}", target.query))?;
    let init = ResponseInit::new();
    init.set_status(response.status());
    init.set_headers(&headers);
    Ok(Response::new_with_opt_str_and_init(None, &init)?)
}
