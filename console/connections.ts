// Finds out whether the browser holds back a request because all its connections to the server are taken.
//
// Over HTTP/1.1, a browser opens at most six connections to a server, and a request beyond that waits without an error.
// Browsers count connections with and without credentials (such as cookies) separately. So if a request on one kind of
// connection is answered in time and the same request on the other kind is not, the other kind has no free connection.

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

/** Whether a request is sent and answered in time. A redirect or an answer that this page may not read is an answer. */
async function answers(url: string, credentials: RequestCredentials, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const request = fetch(url, { redirect: "manual", cache: "no-store", credentials, signal: limit });
  await request.catch(() => undefined);
  return !limit.aborted;
}
