// The part of Cloudflare's API that knows the secrets of a Worker. A test cannot have an account, and wrangler takes the
// address of the API from a variable.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { portOf } from "./port.mjs";

const NOT_FOUND = { code: 10007, message: "This Worker does not exist on your account." };
const BROKEN = { code: 10001, message: "internal error" };

/**
 * Starts the API on a free port, and stops it after the test or file that has started it.
 * @param {Record<string, string> | undefined} secrets the secrets of the Worker, or undefined if there is no Worker
 */
export async function startCloudflare(secrets) {
  const api = { secrets, broken: false, variables: /** @type {Record<string, string>} */ ({}) };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { status, result, error } = answer(api, request.method, request.url.split("?")[0], body);
    const errors = error ? [error] : [];
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ success: status === 200, errors, messages: [], result: result ?? null }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  api.variables = {
    CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${portOf(server)}/client/v4`,
    CLOUDFLARE_API_TOKEN: "token",
    CLOUDFLARE_ACCOUNT_ID: "0123456789abcdef0123456789abcdef",
  };
  return api;
}

/** Answers a request, and changes the secrets. */
function answer(api, method, path, body) {
  if (api.broken) return { status: 500, error: BROKEN };
  const isSecrets = path.endsWith("/workers/scripts/sse-broadcaster/secrets");
  if (method === "PUT" && path.endsWith("/workers/scripts/sse-broadcaster")) {
    api.secrets = {};
    return { status: 200, result: {} };
  }
  if (!isSecrets || !api.secrets) return { status: 404, error: NOT_FOUND };
  if (method === "PUT") {
    const { name, text } = JSON.parse(body);
    api.secrets[name] = text;
    return { status: 200, result: { name, type: "secret_text" } };
  }
  return { status: 200, result: Object.keys(api.secrets).map((name) => ({ name, type: "secret_text" })) };
}
