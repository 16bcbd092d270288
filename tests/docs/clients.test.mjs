// docs/clients.md: the table has the versions that the tests run, and the program gets every event.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { temporaryFolder } from "../support/folder.mjs";
import { namedBlock, tableOf } from "../support/markdown.mjs";
import { pythonPath } from "../support/python.mjs";
import { read } from "../support/sources.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { authorized, FULL_ACCESS, mint, SECRET } from "../support/tokens.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

/** Clients that the project does not install. */
const OF_THE_MACHINE = ["EventSource"];

test("docs/clients.md has the versions of the clients that the tests install", () => {
  const { devDependencies } = JSON.parse(read("package.json"));
  const requirements = read("tests/requirements.txt") + read("tests/requirements-sseclient-py.txt");
  const [, ...rows] = tableOf("docs/clients.md", "Client");
  for (const [cell, version] of rows) {
    const name = cell.replaceAll("`", "");
    if (OF_THE_MACHINE.includes(name)) continue;
    const [registry, number] = version.split(" ");
    if (registry === "npm") assert.equal(number, devDependencies[name], name);
    else assert.ok(requirements.split("\n").includes(`${name}==${number}`), `${name} ${version}`);
  }
  assert.equal(rows.length, 12);
});

test("the Python program of docs/clients.md prints every event once across a restart and a hub.error, and exits at the end", {
  timeout: 120_000,
}, async () => {
  const hub = await startTokenHub({ JWT_SECRET: SECRET, MAX_SUBSCRIBERS: "1" });
  const token = await mint(FULL_ACCESS);
  const channel = authorized(hub.channel("foo"), token);
  const file = join(temporaryFolder(), "program.py");
  writeFileSync(file, namedBlock("subscribe in Python"));
  const env = { ...process.env, HUB: hub.origin, TOKEN: token };
  const program = spawn(pythonPath(), [file], { env, stdio: ["ignore", "pipe", "inherit"] });
  after(() => program.kill("SIGKILL"));
  const exited = once(program, "exit");
  let output = "";
  program.stdout.on("data", (data) => {
    output += data;
  });
  const lines = () => output.split("\n").filter((line) => line !== "" && !line.startsWith("no stream:"));
  await untilSubscribers(channel);
  await hub.kill();
  await eventually(() => output.includes("no stream:"), 40_000);
  await hub.start();
  // The program gets hub.error while the channel is full.
  const other = await subscribe(channel, { headers: channel.headers });
  await channel.publish("Grüße");
  await sleep(4_000);
  other.close();
  await untilSubscribers(channel);
  await channel.publish("日本");
  await eventually(() => lines().length === 2, 40_000);
  await channel.end();
  assert.deepEqual(await exited, [0, null]);
  assert.deepEqual(lines(), ["Grüße", "日本"]);
});
