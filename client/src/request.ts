// Requests to the hub, with the token in the header.
import { errorOf } from "./problem.ts";
import type { Tokens } from "./token.ts";

/** A hub as requests and subscriptions use it. */
export interface Connected {
  url: string;
  tokens: Tokens;
  fetch: typeof fetch;
  shareTabs: boolean;
  /** Aborts when the hub is closed. */
  signal: AbortSignal;
}

/** A request to the hub with its method, headers and body. */
export interface HubRequest {
  /** Default: GET. */
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

/**
 * Sends a request. If the hub refuses the token and there is another one, sends it again with that. `use` is called with
 * each token before it is sent.
 *
 * Only a GET without a token follows redirects, because a token must not reach another server, and because a redirect
 * can turn a publish into a GET. Browsers hide the target of a redirect from scripts, so the client cannot check it.
 */
export async function send(
  { url, tokens, fetch }: Connected,
  path: string,
  request: HubRequest,
  use?: (token: string | undefined) => void,
): Promise<Response> {
  const attempt = () => {
    use?.(token);
    return fetch(url + path, {
      ...(request as RequestInit),
      headers: { ...request.headers, ...(token && { Authorization: `Bearer ${token}` }) },
      redirect: token || request.method ? "manual" : "follow",
      // For a URL that another tab is reading, the cache of Firefox would wait until that stream ends. Workers of
      // Cloudflare with an older compatibility date refuse this option.
      ...(globalThis.document && { cache: "no-store" }),
    });
  };
  let token = await tokens.get();
  let response = await attempt();
  if (response.status === 401) {
    tokens.drop(token);
    const next = await tokens.get();
    if (next !== token) {
      token = next;
      // This reads the body, so that the connection can be used again.
      await errorOf(response);
      response = await attempt();
    }
  }
  return response;
}

/** Sends a request once, and returns the JSON of its answer. Rejects with a HubError if the hub refuses it. */
// biome-ignore lint/suspicious/noExplicitAny: the caller knows the type of the answer.
export async function ask(hub: Connected, path: string, request: HubRequest = {}): Promise<any> {
  const response = await send(hub, path, request);
  if (response.status !== 200) throw await errorOf(response);
  return response.json();
}
