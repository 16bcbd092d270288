// Runs the samples of docs/client.md.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";
import { fromPackage, root } from "../../scripts/install.mjs";
import { openBrowser } from "../support/browser.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { namedBlock, tableOf } from "../support/markdown.mjs";
import { portOf } from "../support/port.mjs";
import { read } from "../support/sources.mjs";
import { Issuer } from "../support/token-site.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, untilSubscribers } from "../support/wait.mjs";
import { startWebsite } from "../support/website.mjs";
import { startTokenHub, startWorkerd } from "../support/workerd.mjs";

const browser = await openBrowser();
const site = await startWebsite();
const minute = { timeout: 60_000 };
const files = { withConsole: true };

/** Replaces the addresses of the documentation by that of a hub. */
const at = (hub, code) => code.replaceAll(/http:\/\/127\.0\.0\.1:8080|https:\/\/your-hub\.example/g, hub.origin);

/** A folder in which the package is installed, with a file. Returns the path of the file. */
function inProject(name, code) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "sse-broadcaster"));
  for (const dependency of ["react", "react-dom"]) {
    symlinkSync(fromPackage(dependency), join(folder, "node_modules", dependency));
  }
  writeFileSync(join(folder, name), code);
  return join(folder, name);
}

/** Runs a sample on Node until the program exits. `lines` are what it has printed. */
function runOnNode(code) {
  const child = spawn(process.execPath, [inProject("program.mjs", code)], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => child.kill("SIGKILL"));
  const program = { exited: once(child, "exit"), output: "" };
  child.stdout.on("data", (data) => {
    program.output += data;
  });
  return program;
}

/** Opens a page of another origin that runs a sample as a module, after a prelude. */
async function runInPage(hub, code, prelude = "", context = undefined) {
  const page = await (context ?? browser).newPage();
  await page.goto(`${site}/empty`);
  const imports = `import { connect } from "${hub.origin}/client.js";\n`;
  const content = `${imports}window.shown = []; const show = (...values) => shown.push(values); ${prelude}\n${at(hub, code)}`;
  await page.addScriptTag({ content, type: "module" });
  return { page, shown: () => page.evaluate(() => window.shown) };
}
const connectAtFirst = 'const hub = connect("http://127.0.0.1:8080");\n';

test("the page of docs/client.md shows events", minute, async () => {
  const hub = await startWorkerd({}, files);
  const channel = hub.channel("foo");
  await channel.publish("1");
  const html = at(hub, namedBlock("the client in a page"));
  const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(html));
  await once(server.listen(0, "127.0.0.1"), "listening");
  after(() => server.close());
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${portOf(server)}/`);
  await untilSubscribers(channel, 1);
  await channel.publish("2");
  await eventually(async () => (await page.locator("li").count()) === 2);
  assert.deepEqual(await page.locator("li").allTextContents(), ["1", "2"]);
});

test("the program of docs/client.md for Node prints events and exits at the end", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("foo");
  const program = runOnNode(at(hub, namedBlock("the client in Node")));
  await untilSubscribers(channel, 1);
  const { id } = await channel.publish('{"home":7}', { query: "?event=score" });
  await channel.end();
  assert.deepEqual(await program.exited, [0, null]);
  assert.equal(program.output, `foo ${id} score { home: 7 }\n`);
});

test("the script of docs/client.md for several channels shows events and loads again after a gap", minute, async () => {
  const hub = await startWorkerd({}, files);
  const [orders, user] = [hub.channel("orders"), hub.channel("user.42")];
  const prelude = 'const reload = ({ channel }) => show("reload", channel);';
  const code = at(hub, connectAtFirst) + namedBlock("several channels and gaps with the client");
  const { shown } = await runInPage(hub, code, prelude);
  await untilSubscribers(user, 1);
  await orders.publish("1");
  await eventually(async () => (await shown()).length === 1);
  await user.publish("2");
  await eventually(async () => (await shown()).length === 2);
  assert.deepEqual(await shown(), [
    ["orders", 1],
    ["user.42", 2],
  ]);
  // A hub that has lost its storage does not know the position of the page.
  await hub.kill();
  hub.options.stateDir = temporaryFolder();
  await hub.start();
  await eventually(async () => (await shown()).length === 4, 20_000);
  assert.deepEqual((await shown()).slice(2).sort(), [
    ["reload", "orders"],
    ["reload", "user.42"],
  ]);
});

test("the script of docs/client.md gets a new token before the old one expires", minute, async () => {
  const issuer = new Issuer(6);
  const hub = await startTokenHub({ JWT_SECRET: SECRET }, files);
  const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
  const context = await browser.newContext();
  let asked = 0;
  await context.route(`${site}/my-token`, async (route) => {
    asked++;
    await route.fulfill({ body: await issuer.issue() });
  });
  const { shown } = await runInPage(hub, namedBlock("tokens with the client"), "", context);
  await untilSubscribers(channel, 1);
  await eventually(() => asked === 3, 30_000);
  await untilSubscribers(channel, 1);
  await channel.publish("1");
  await eventually(async () => (await shown()).length === 1);
  assert.deepEqual(await shown(), [["1"]]);
});

test("the publisher of docs/client.md publishes an event and the end, and the history has both", minute, async () => {
  const hub = await startWorkerd();
  const start = at(hub, `import { connect } from "sse-broadcaster";\n${connectAtFirst}`);
  const publisher = runOnNode(start + namedBlock("publish with the client"));
  assert.deepEqual(await publisher.exited, [0, null]);
  const { events } = await hub.channel("foo").history();
  const [score, end] = events;
  assert.deepEqual([score.event, score.data, end.data], ["score", '{"home":7,"away":3}', "final score"]);
  assert.equal(publisher.output, `${score.id} 0\n`);
  const reader = runOnNode(start + namedBlock("read the history with the client"));
  assert.deepEqual(await reader.exited, [0, null]);
  assert.equal(reader.output, `${score.id} score {"home":7,"away":3}\n${end.id} message final score\n`);
});

test("the React component of docs/client.md renders scores", minute, async () => {
  const hub = await startWorkerd();
  const channel = hub.channel("scores");
  await channel.publish('{"home":7,"away":3}');
  const begin = `
    import { createRoot } from "react-dom/client";
    createRoot(document.body.appendChild(document.createElement("main"))).render(<Scores />);`;
  const file = inProject("page.jsx", at(hub, namedBlock("the client in React")) + begin);
  const bundle = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "iife",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const page = await browser.newPage();
  await page.goto(`${site}/empty`);
  await page.addScriptTag({ content: bundle.outputFiles[0].text });
  await untilSubscribers(channel, 1);
  await channel.publish('{"home":8,"away":3}');
  await eventually(async () => (await page.locator("li").count()) === 2);
  assert.deepEqual(await page.locator("li").allTextContents(), ["7:3", "8:3"]);
  assert.equal(await page.locator("p").textContent(), "open");
});

test("two tabs with the script of docs/client.md share one stream", minute, async () => {
  const hub = await startWorkerd({ HEARTBEAT_SECONDS: "1" }, files);
  const channel = hub.channel("orders");
  const context = await browser.newContext();
  const code = namedBlock("share a stream between tabs");
  const tabs = [await runInPage(hub, code, "", context), await runInPage(hub, code, "", context)];
  await eventually(async () => (await channel.stats()).connected === 2, 20_000);
  await untilSubscribers(channel, 1);
  await channel.publish("paid");
  for (const { shown } of tabs) {
    await eventually(async () => (await shown()).length === 1);
    assert.deepEqual(await shown(), [["orders", "paid"]]);
  }
});

test("docs/client.md lists all options of subscribe, and all states", () => {
  const types = read("client", "src", "api.ts");
  const [, options] = types.match(/interface SubscribeOptions.*?\{\n(.*?)\n\}/s) ?? [];
  const names = [...options.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name).sort();
  const [, ...rows] = tableOf("docs/client.md", "Option");
  assert.deepEqual(rows.map(([name]) => name.replaceAll("`", "")).sort(), names);
  const states = [...types.matchAll(/state: "(\w+)"/g)].map(([, state]) => state);
  const [, ...stateRows] = tableOf("docs/client.md", "`state`");
  assert.deepEqual(
    stateRows.map(([name]) => name.replaceAll("`", "")),
    states,
  );
});
