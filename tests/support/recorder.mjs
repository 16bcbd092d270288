// A web server that records every request, for tests that a token is not sent to it.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";
import { portOf } from "./port.mjs";

/** @typedef {import("node:http").RequestListener} Answer */

const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*, Authorization",
  "Access-Control-Allow-Methods": "*",
};

/**
 * Answers a request as a hub answers a client without a token.
 * @type {Answer}
 */
const refuse = (_, response) => response.writeHead(401, CORS).end('{"detail":"a token is needed"}');

/**
 * Returns an answer that redirects to the same path and query of another server.
 * @param {string} origin
 * @returns {Answer}
 */
export const redirectTo = (origin) => (request, response) =>
  response.writeHead(302, { ...CORS, Location: origin + request.url }).end();

/** Starts a recorder on a free port of 127.0.0.1, and stops it after the test or file that has started it. */
export async function startRecorder(answer = refuse) {
  const recorder = new Recorder(answer);
  await recorder.start();
  after(() => recorder.stop());
  return recorder;
}

class Recorder {
  /** @param {Answer} answer */
  constructor(answer) {
    /** @type {Answer} answers preflight requests; a test may replace it */
    this.preflight = (_, response) => response.writeHead(204, CORS).end();
    /** @type {Answer} answers all other requests; a test may replace it */
    this.answer = answer;
    this.requests = [];
  }

  async start() {
    this.server = createServer((request, response) => {
      const { method, url, headers } = request;
      let body = "";
      request.on("data", (data) => {
        body += data;
      });
      request.on("end", () => {
        this.requests.push({ method, url, headers, body });
        const answer = method === "OPTIONS" ? this.preflight : this.answer;
        answer(request, response);
      });
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.origin = `http://127.0.0.1:${portOf(this.server)}`;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Whether `secret` is anywhere in the recorded requests. */
  has(secret) {
    return JSON.stringify(this.requests).includes(secret);
  }

  /** Returns the paths of the recorded requests after the first `count`, without preflight requests. */
  paths(count = 0) {
    const requests = this.requests.slice(count);
    return requests.filter(({ method }) => method !== "OPTIONS").map(({ url }) => url.split("?")[0]);
  }
}
