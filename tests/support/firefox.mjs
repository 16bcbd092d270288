// The machine's own Firefox, without a window, through WebDriver BiDi. (The Firefox that playwright-core drives is one of
// its own, and a driver such as puppeteer-core brings 80 packages for the three commands that the tests need.)
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { atExit, killHard } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { eventually } from "./wait.mjs";

const COMMAND = "firefox-esr";
const LISTENING = /WebDriver BiDi listening on (ws:\S+)/;

/**
 * Starts Firefox with a new profile, and ends it after the test or file that has started it.
 * @param {{ colorScheme?: "light" | "dark" }} options the colours that its pages prefer
 */
export async function openFirefox({ colorScheme = "light" } = {}) {
  const profile = temporaryFolder();
  const scheme = { dark: 0, light: 1 }[colorScheme];
  writeFileSync(
    join(profile, "user.js"),
    `user_pref("layout.css.prefers-color-scheme.content-override", ${scheme});\n`,
  );
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const child = spawn(COMMAND, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  // It has processes of its own, which are in its group.
  const kill = () => killHard(-child.pid);
  after(async () => {
    kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  atExit(kill);
  let output = "";
  child.stderr.on("data", (data) => {
    output += data;
  });
  await eventually(() => LISTENING.test(output), 120_000, "Firefox listens");
  const socket = new WebSocket(`${output.match(LISTENING)[1]}/session`);
  await once(socket, "open");
  const firefox = new Firefox(socket);
  await firefox.send("session.new", { capabilities: {} });
  return firefox;
}

class Firefox {
  #socket;
  #lastId = 0;
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error, message } = JSON.parse(data);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(`${error}: ${message}`));
      else waiting?.resolve(result);
    });
  }

  /** Sends a command of WebDriver BiDi, and returns its result. */
  send(method, params) {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /**
   * Opens a page in a tab of its own.
   * @param {string} url
   * @param {{ width: number, height: number }} [viewport]
   */
  async newPage(url, viewport) {
    const { context } = await this.send("browsingContext.create", { type: "tab" });
    if (viewport) await this.send("browsingContext.setViewport", { context, viewport });
    await this.send("browsingContext.navigate", { context, url, wait: "complete" });
    return new Page(this, context);
  }
}

class Page {
  /**
   * @param {Firefox} firefox
   * @param {string} context
   */
  constructor(firefox, context) {
    this.firefox = firefox;
    this.context = context;
  }

  /**
   * Returns the value of an expression, which has to be JSON or a promise of that. Unlike `evaluate`, it also works on a
   * page whose Content-Security-Policy forbids eval.
   * @param {string} expression
   */
  async valueOf(expression) {
    const { type, result, exceptionDetails } = await this.firefox.send("script.evaluate", {
      expression: `(async () => JSON.stringify(await (${expression})))()`,
      target: { context: this.context },
      awaitPromise: true,
    });
    if (type === "exception") throw new Error(exceptionDetails.text);
    return result.value === undefined ? undefined : JSON.parse(result.value);
  }

  /**
   * Runs statements as a script of the page, also if its Content-Security-Policy forbids eval.
   * @param {string} script
   */
  async run(script) {
    const target = { context: this.context };
    const parameters = { expression: script, target, awaitPromise: false, resultOwnership: "none" };
    const { type, exceptionDetails } = await this.firefox.send("script.evaluate", parameters);
    if (type === "exception") throw new Error(exceptionDetails.text);
  }

  /** Closes the tab. */
  close() {
    return this.firefox.send("browsingContext.close", { context: this.context });
  }

  /** Runs a script as one of the page, and returns the value of its last expression, which has to be JSON. */
  async evaluate(script) {
    const expression = `JSON.stringify((0, eval)(${JSON.stringify(script)}))`;
    const target = { context: this.context };
    const { type, result, exceptionDetails } = await this.firefox.send("script.evaluate", {
      expression,
      target,
      awaitPromise: false,
    });
    if (type === "exception") throw new Error(exceptionDetails.text);
    return result.value === undefined ? undefined : JSON.parse(result.value);
  }
}
