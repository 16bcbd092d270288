// Pages of another origin than the hub's that import the client from the hub.

import { eventually } from "./wait.mjs";
import { startWebsite } from "./website.mjs";

/**
 * What the page runs: it imports the client, and `follow` subscribes and notes what it gets in `window.received`.
 * @param {string} client the URL of client.js
 */
const script = (client) => `
  window.received = [];
  window.statuses = [];
  window.client = import(${JSON.stringify(client)});
  window.follow = async (url, channels, connectOptions = {}, options = {}) => {
    const { connect } = await window.client;
    window.hub = connect(url, connectOptions);
    const note = (name) => (value) => window.received.push([name, value]);
    window.subscription = window.hub.subscribe(channels, {
      onEvent: ({ channel, data }) => window.received.push([channel, data]),
      onGap: note("gap"), onDropped: note("dropped"), onEnd: note("end"), onError: note("error"),
      onStatus: ({ state, reason }) => window.statuses.push(state + ": " + reason),
      ...options,
    });
  };
`;

/** A page in Chromium or Firefox. Both have `evaluate` for a script as text. */
class ClientPage {
  /**
   * @param {any} page of Playwright, or of firefox.mjs
   * @param {string} client
   */
  constructor(page, client) {
    this.page = page;
    this.client = client;
  }

  async begin() {
    await this.page.evaluate(`(() => {${script(this.client)}})()`);
    return this;
  }

  /**
   * @param {string} url
   * @param {string | string[]} channels
   * @param {object} [connectOptions]
   * @param {object} [options]
   */
  async follow(url, channels, connectOptions = {}, options = {}) {
    const list = [url, channels, connectOptions, options].map((value) => JSON.stringify(value)).join(", ");
    await this.page.evaluate(`void window.follow(${list})`);
    await this.isOpen();
  }

  isOpen() {
    return eventually(async () => (await this.state()) === "open", 30_000, "the subscription of the page is open");
  }

  /** @returns {Promise<string>} */
  state() {
    return this.page.evaluate("window.subscription?.status.state ?? null");
  }

  /**
   * Returns when the next attempt begins, in milliseconds since 1970, or 0 if it has begun.
   * @returns {Promise<number>}
   */
  retryAt() {
    return this.page.evaluate("window.subscription?.status.retryAt ?? 0");
  }

  /** @returns {Promise<[string, any][]>} */
  received() {
    return this.page.evaluate("window.received");
  }

  async data() {
    return (await this.received()).map(([, data]) => data);
  }

  /** @returns {Promise<string[]>} */
  statuses() {
    return this.page.evaluate("window.statuses");
  }

  async has(count, ms = 40_000) {
    await eventually(async () => (await this.received()).length >= count, ms, `the page has ${count} events`);
  }
}

/** The website of the pages. */
const site = await startWebsite();

/**
 * Opens a page of another origin in Chromium.
 * @param {{ newPage: () => Promise<any> }} browser a browser, or one of its contexts
 * @param {string} hub the origin from which it imports the client
 */
export async function openInChromium(browser, hub) {
  const page = await browser.newPage();
  await page.goto(`${site}/empty`);
  return new ClientPage(page, `${hub}/client.js`).begin();
}

/**
 * Opens a page of another origin in Firefox.
 * @param {any} firefox
 * @param {string} hub the origin from which it imports the client
 */
export async function openInFirefox(firefox, hub) {
  return new ClientPage(await firefox.newPage(`${site}/empty`), `${hub}/client.js`).begin();
}
