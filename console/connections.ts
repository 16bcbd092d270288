// Finds out whether a browser does not send a request because all its connections to the server are taken.
//
// Over HTTP/1.1, a browser opens at most six connections to a server, and a request beyond that waits without an error.
// Browsers count connections with and without credentials (such as cookies) separately. So if a request with the one
// kind is answered at once and the same request with the other kind is not, the second kind has no free connection.

/** How long a request may take. */
const LIMIT_MS = 2_000;

/** Returns whether the connections that a stream to `server` would use are all taken. */
export async function areConnectionsTaken(server: string, signal: AbortSignal): Promise<boolean> {
  const url = `${server}/healthz`;
  // The streams of the console have the default credentials, "same-origin".
  const isForeign = new URL(server).origin !== location.origin;
  const [same, other] = await Promise.all([
    answers(url, isForeign ? "omit" : "include", signal),
    answers(url, isForeign ? "include" : "omit", signal),
  ]);
  return other && !same;
}

async function answers(url: string, credentials: RequestCredentials, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  try {
    // The answer is not read, so it needs no permission of the server.
    await fetch(url, { mode: "no-cors", redirect: "manual", cache: "no-store", credentials, signal: limit });
    return true;
  } catch {
    return false;
  }
}
