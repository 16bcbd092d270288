//! The files of the console. They are asked for by a URL and headers of this Worker's own: the runtime quotes the URL in
//! its errors, and a client's has a token in its query.

use web_sys::{Headers, Request, Response, ResponseInit};
use worker::{Env, Method, RequestInit, RequestRedirect};

use crate::http::page_headers;
use crate::http::problem::Problem;
use crate::http::response::Failure;
use crate::http::target::Target;

/// The binding of the files in `public/`.
const BINDING: &str = "ASSETS";

/// The longest path that may name a file. Files of a console have short names.
const MAX_PATH_BYTES: usize = 256;

/// The request headers that the answer depends on.
const CONDITIONS: [&str; 2] = ["If-None-Match", "If-Modified-ReplayFrom"];

/// The file that a path names; `None` if the file exists but the method is not GET or HEAD. Fails with
/// [`Problem::NotFound`].
pub async fn answer(
    request: &Request,
    method: &str,
    target: Target<'_>,
    env: &Env,
) -> Result<Option<Response>, Failure> {
    let reads = matches!(method, "GET" | "HEAD");
    let mut init = RequestInit::new();
    // For HEAD, too, a GET: the policy of a page depends on its content.
    init.with_method(if reads { Method::Get } else { Method::Head });
    // The client is to follow a redirect.
    init.with_redirect(RequestRedirect::Manual);
    if reads {
        let headers = request.headers();
        for name in CONDITIONS {
            if let Some(value) = headers.get(name).map_err(worker::Error::from)? {
                init.headers.set(name, &value)?;
            }
        }
    }
    // The runtime takes long to look for a file at a path of many segments.
    if target.path.len() > MAX_PATH_BYTES {
        return Err(Problem::NotFound.into());
    }
    let url = format!("https://hub{}", target.path);
    let answer = env.assets(BINDING)?.fetch(url, Some(init)).await?;
    if answer.status_code() == 404 {
        return Err(Problem::NotFound.into());
    }
    if !reads {
        return Ok(None);
    }
    let answer: Response = page_headers::protect(answer).await?.into();
    match answer.status() {
        300..=399 => Ok(Some(with_query(answer, target)?)),
        _ => Ok(Some(answer)),
    }
}

/// `response`, but where it is a redirect, with the query of the request added to its `Location`: the console reads it.
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
