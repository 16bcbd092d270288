// Requests with headers that `fetch` reserves for browsers.
import http from "node:http";

/** How long a stream is read if nothing ends it. */
const STREAM_MS = 200;
const TIMEOUT_MS = 10_000;

/** @typedef {{ method?: string, headers?: Record<string, string>, body?: string }} RequestOptions */

/**
 * Sends a request, whose headers may be Origin, Sec-Fetch-Dest and the like. Of a stream it returns the beginning.
 * @param {string} origin
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<{ status: number, headers: Record<string, string>, text: string }>}
 */
export function sendRequest(origin, path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(origin + path, { method, headers, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      const end = () => {
        clearTimeout(timer);
        // @ts-expect-error: no test reads set-cookie, the only header with a list as its value.
        resolve({ status: response.statusCode, headers: response.headers, text });
        request.destroy();
      };
      const timer = setTimeout(end, isStream(response) ? STREAM_MS : TIMEOUT_MS);
      response.setEncoding("utf8").on("data", (data) => {
        text += data;
      });
      response.on("end", end).on("error", end);
    });
    request.end(body);
  });
}

function isStream({ headers }) {
  return headers["content-type"]?.startsWith("text/event-stream");
}
