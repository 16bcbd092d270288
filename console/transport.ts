// The requests of the console. They follow no redirect, because the token is not for the other server, and because a
// redirect can turn a POST into a GET.

/** The status of the answer in place of a redirect: 421, Misdirected Request. A client does not repeat it. */
export const REDIRECTED = 421;

/** Sends requests to a server, and knows whether it has ever answered. */
export class Transport {
  /** Whether the server has answered any request. */
  reached = false;

  /**
   * Does what fetch does, but turns a redirect into a refusal. It does not use the browser's cache: for a URL that
   * another tab is reading, Firefox would wait until the stream of that tab ends.
   */
  readonly fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, { ...init, redirect: "manual", cache: "no-store" });
    this.reached = true;
    if (response.type !== "opaqueredirect") return response;
    const { origin, pathname } = new URL(input instanceof Request ? input.url : input, location.href);
    return refusal(origin + pathname);
  };
}

function refusal(url: string): Response {
  const detail = `${url} redirects to another URL, which this page does not follow: enter that server`;
  const problem = { type: "about:blank", title: "Redirect", status: REDIRECTED, detail };
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify(problem), { status: REDIRECTED, headers });
}
