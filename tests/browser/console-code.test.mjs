// The programs that the console offers for copying: each is run, and does what the page does.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { openBrowser } from "../support/browser.mjs";
import { atExit } from "../support/cleanup.mjs";
import { field, waitForStatus } from "../support/console-page.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { pythonPath } from "../support/python.mjs";
import { authorized, mint, SECRET } from "../support/tokens.mjs";
import { eventually, threeMinutes } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const browser = await openBrowser();
const hub = await startTokenHub({ JWT_SECRET: SECRET }, { withConsole: true });
const token = await mint({ publish: ["*"], subscribe: ["*"], exp: Math.floor(Date.now() / 1_000) + 600 });
const environment = { ...process.env, TOKEN: token };
/** Text that a shell, JavaScript and Python would change if it was not quoted. */
const TEXT = 'it\'s "7:3" $HOME `x` \\n\nשלום @file';

/** The command that runs a program of each language. The program finds its packages in its own folder. */
const RUNNERS = {
  curl: ["bash", "snippet.sh"],
  client: [process.execPath, "snippet.mjs"],
  eventsource: [process.execPath, "snippet.mjs"],
  python: [pythonPath(), "snippet.py"],
};

/** Writes a program to a folder. Returns the command that runs it. */
function commandOf(language, code) {
  const folder = temporaryFolder();
  const [command, file] = RUNNERS[language];
  const modules = join(folder, "node_modules");
  const client = join(modules, "sse-broadcaster");
  mkdirSync(client, { recursive: true });
  for (const name of ["eventsource", "eventsource-parser"])
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  writeFileSync(join(client, "package.json"), '{"type":"module","exports":"./client.js"}');
  for (const name of ["client.js", "client-tabs.js"]) symlinkSync(join(root, "public", name), join(client, name));
  const isModule = file.endsWith(".mjs");
  const token = isModule ? "const { TOKEN } = process.env;\n" : "";
  const source = language === "eventsource" ? 'import { EventSource } from "eventsource";\n' : "";
  writeFileSync(join(folder, file), isModule ? `${source}${code.replace(/^(import .*\n)?/, `$1${token}`)}` : code);
  return { command, args: [join(folder, file)] };
}

/** Opens the dialog on a page, and returns the program for a request in a language. */
async function codeOf(page, request, language) {
  await page.getByRole("button", { name: "Code", exact: true }).click();
  await page.getByRole("combobox", { name: "Request" }).selectOption(request);
  await page.getByRole("combobox", { name: "Language" }).selectOption(language);
  const code = await page.locator("#snippets code").textContent();
  await page.getByRole("button", { name: "Close" }).click();
  assert.ok(!code.includes(token), "the program does not contain the token");
  return code;
}

async function openConsole(channel, query = "") {
  const page = await browser.newPage();
  await page.goto(`${hub.origin}/?channel=${channel}&token=${token}${query}`);
  await waitForStatus(page, "subscribed to");
  return page;
}

for (const language of Object.keys(RUNNERS)) {
  test(
    `the copied program (${language}) publishes what the page would publish, once under its key`,
    threeMinutes,
    async () => {
      const id = `to-${language}`;
      const page = await openConsole(id);
      await field(page, "Event type").fill("half time");
      await field(page, "Message").fill(TEXT);
      await field(page, "Idempotency key").fill("it's mine");
      const { command, args } = commandOf(language, await codeOf(page, "publish", language));
      for (let n = 0; n < 2; n++) {
        const { stdout } = await promisify(execFile)(command, args, { env: environment, timeout: 20_000 });
        assert.match(stdout, /events/);
      }
      const history = await fetch(`${hub.channel(id).url}/events`, { headers: { Authorization: `Bearer ${token}` } });
      const { events } = await history.json();
      assert.deepEqual(
        events.map(({ event, data }) => [event, data]),
        [["half time", TEXT]],
      );
      await page.close();
    },
  );

  test(
    `the copied program (${language}) subscribes with the history and catch_up of the page`,
    threeMinutes,
    async () => {
      const id = `from-${language}`;
      const channel = authorized(hub.channel(id), token);
      await channel.publish("stored");
      const page = await openConsole(id, "&history=1&catch_up=1");
      const code = await codeOf(page, "subscribe", language);
      assert.match(code, /catch_up=1|catchUp: true/);
      const { command, args } = commandOf(language, code);
      const child = spawn(command, args, { env: environment, stdio: ["ignore", "pipe", "inherit"], detached: true });
      const kill = () => {
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {
          // It has ended.
        }
      };
      atExit(kill);
      let output = "";
      child.stdout.on("data", (data) => {
        output += data;
      });
      await eventually(() => output.includes("stored"), 20_000, `the program prints the history: ${output}`);
      await channel.publish("live");
      await eventually(() => output.includes("live"), 10_000, `the program prints the next event: ${output}`);
      kill();
      await page.close();
    },
  );
}
