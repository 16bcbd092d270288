// A request as it is given, with headers that fetch keeps for browsers; and an answer's head and body as they came.
import http from "node:http";

/** How long a stream is listened to, where nothing ends it. */
const STREAM_MS = 200;

/**
 * Sends a request; `headers` may be Origin, Sec-Fetch-Dest and their kin. Returns { status, headers, text }; of a
 * stream that does not end, what came at first.
 */
export function ask(origin, path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(origin + path, { method, headers, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      const end = () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode, headers: response.headers, text });
        request.destroy();
      };
      const timer = setTimeout(end, isStream(response) ? STREAM_MS : 10_000);
      response.setEncoding("utf8").on("data", (data) => (text += data));
      response.on("end", end).on("error", end);
    });
    request.end(body);
  });
}

function isStream({ headers }) {
  return headers["content-type"] === "text/event-stream";
}
