// A website that issues tokens, with a page that runs the documented script for renewing them.
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";
import { namedBlock } from "./markdown.mjs";
import { portOf } from "./port.mjs";
import { mint, secretKey } from "./tokens.mjs";

const script = namedBlock("renew a token");
/** What the script calls. The page shows events, and the data of notices that say that events are missing. */
const PRELUDE = "var shown = [], show = (data) => shown.push(data), reload = show;";

/** @typedef {() => Promise<string | undefined>} Issue returns a token, or undefined to let the request fail */

/**
 * Starts the website on a free port, and stops it after the test or file that has started it.
 * @param {Issue} issue
 */
export async function startTokenSite(issue) {
  const site = new TokenSite(issue);
  await site.start();
  return site;
}

class TokenSite {
  /** How many times the page has asked for a token. */
  asked = 0;
  /** The origin of the hub for the script. A test sets it before it opens the page. */
  hub = "";
  origin = "";

  /** @param {Issue} issue */
  constructor(issue) {
    this.issue = issue;
  }

  async start() {
    const server = createServer((request, response) => {
      if (request.url === "/my-token") return this.answer(response);
      const code = script.replace("https://your-hub.example", this.hub);
      const page = `<!doctype html><script>${PRELUDE}\n${code}</script>`;
      return response.setHeader("Content-Type", "text/html; charset=utf-8").end(page);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    after(() => {
      server.close();
      server.closeAllConnections();
    });
    this.origin = `http://127.0.0.1:${portOf(server)}`;
  }

  async answer(response) {
    this.asked += 1;
    const token = await this.issue();
    if (token === undefined) response.destroy();
    else response.end(token);
  }
}

/** Issues tokens that may subscribe to the channel foo and are valid for some seconds. */
export class Issuer {
  expires = 0;
  key = secretKey();

  /** @param {number} seconds */
  constructor(seconds) {
    this.seconds = seconds;
  }

  /** @type {Issue} */
  issue = () => {
    this.expires = Date.now() + 1_000 * this.seconds;
    return mint({ subscribe: ["foo"], exp: this.expires / 1_000 }, this.key);
  };

  /** Returns in how many milliseconds the newest token has certainly expired. */
  get remaining() {
    return Math.max(0, this.expires - Date.now()) + 100;
  }
}
