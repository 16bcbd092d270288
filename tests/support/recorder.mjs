// A web server that keeps every request that it gets: the one that must not get a token.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";

const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*, Authorization",
  "Access-Control-Allow-Methods": "*",
};

/** Answers a request as a hub does to a client without a token. */
const refuse = (_, response) => response.writeHead(401, CORS).end('{"detail":"a token is needed"}');

/** Returns an answer that redirects to the same path and query of another server. */
export const redirectTo = (origin) => (request, response) =>
  response.writeHead(302, { ...CORS, Location: origin + request.url }).end();

/** Starts one on a free port of 127.0.0.1. It is stopped after the test or file that started it. */
export async function startRecorder(answer = refuse) {
  const recorder = new Recorder(answer);
  await recorder.start();
  after(() => recorder.stop());
  return recorder;
}

class Recorder {
  constructor(answer) {
    /** What answers preflight requests, and all others. A test may exchange both. */
    this.preflight = (_, response) => response.writeHead(204, CORS).end();
    this.answer = answer;
    this.requests = [];
  }

  async start() {
    this.server = createServer((request, response) => {
      const { method, url, headers } = request;
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        this.requests.push({ method, url, headers, body });
        const answer = method === "OPTIONS" ? this.preflight : this.answer;
        answer(request, response);
      });
    });
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Whether `secret` is anywhere in the requests so far. */
  has(secret) {
    return JSON.stringify(this.requests).includes(secret);
  }

  /** The paths of the requests so far, without those of preflights. */
  paths() {
    return this.requests.filter(({ method }) => method !== "OPTIONS").map(({ url }) => url.split("?")[0]);
  }
}
