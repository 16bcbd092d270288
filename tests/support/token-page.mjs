// The documented script for a page, which renews its token, on a page whose website issues tokens as a test says.
import { namedBlock } from "./markdown.mjs";
import { mint } from "./tokens.mjs";

const script = namedBlock("renew a token");

/**
 * Opens a page of `site` that runs the script of docs/access.md against the hub at `origin`. `issue` answers a request
 * for a token: with a token, or with undefined, and then the request fails.
 * @param {any} browser
 * @param {string} site
 * @param {string} origin
 * @param {() => Promise<string | undefined>} issue
 */
export async function openTokenPage(browser, site, origin, issue) {
  const page = await browser.newPage();
  const opened = new TokenPage(page);
  await page.route("**/my-token", async (route) => {
    opened.asked += 1;
    const token = await issue();
    return token === undefined ? route.abort() : route.fulfill({ body: token });
  });
  page.on("console", (message) => opened.warnings.push(message.text()));
  await page.goto(`${site}/empty`);
  const prelude =
    "const shown = []; const show = (data) => shown.push(data); const reload = (data) => shown.push(data);";
  await page.addScriptTag({ content: `${prelude} ${script.replace("https://your-hub.example", origin)}` });
  return opened;
}

class TokenPage {
  /** How many times the page has asked for a token. */
  asked = 0;
  /** @type {string[]} what the page has written to its console */
  warnings = [];

  constructor(page) {
    this.page = page;
  }

  /** Returns what the page has shown: events, and the data of notices that say that events are missing. */
  shown() {
    return this.page.evaluate("shown");
  }
}

/** Issues tokens that may subscribe to the channel foo and are valid for `seconds`. */
export class Issuer {
  expires = 0;

  constructor(seconds) {
    this.seconds = seconds;
  }

  issue = () => {
    this.expires = Date.now() + 1_000 * this.seconds;
    return mint({ subscribe: ["foo"], exp: this.expires / 1_000 });
  };

  /** Returns in how many milliseconds the newest token has certainly expired. */
  get remaining() {
    return Math.max(0, this.expires - Date.now()) + 100;
  }
}
