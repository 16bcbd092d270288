// `npm start` says which host it could not reach. The network is away because a proxy or a registry refuses connections,
// and nothing is in the caches.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findBuildTools } from "../../scripts/build-tools.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { freePort } from "../support/port.mjs";
import { copyProject, Started } from "../support/start.mjs";

/** No program listens on this port, which is reserved. */
const refused = 1;
const proxy = { HTTPS_PROXY: `http://user:secret@127.0.0.1:${refused}` };
const through = `through the proxy 127.0.0.1:${refused} (HTTPS_PROXY)`;
const advice = "Check the network and its settings, and start again.";

/**
 * Runs a command in a new clone. Checks that it fails with one line, and returns that line.
 * @param {Record<string, string | undefined>} variables
 * @param {{ packages?: boolean, command?: string[] }} options
 */
async function lineOf(variables, { command = ["npm", "start"], ...options } = {}) {
  const port = String(await freePort());
  const started = new Started(command, { PORT: port, ...variables }, copyProject(options));
  const { status, said } = await started.end();
  const { output } = started;
  assert.equal(status, 1, output);
  const lines = said.filter((line) => line.endsWith(advice));
  assert.equal(lines.length, 1, output);
  assert.equal(said.at(-1), lines[0], "nothing follows the line");
  assert.doesNotMatch(lines[0], /secret/);
  return { line: lines[0].slice(0, -advice.length - 2), output };
}

describe("npm start without network:", { concurrency: true }, () => {
  test("npm start names the host from which npm could not install packages", { timeout: 180_000 }, async () => {
    const registry = `http://127.0.0.1:${refused}`;
    const variables = { npm_config_registry: registry, npm_config_cache: temporaryFolder() };
    const { line, output } = await lineOf(variables, { packages: false });
    assert.equal(line, `npm could not reach 127.0.0.1:${refused}`);
    assert.match(output, /npm error code ECONNREFUSED/);
  });

  test("npm start names the setting that forbids npm to use the network", { timeout: 180_000 }, async () => {
    const variables = { npm_config_offline: "true", npm_config_cache: temporaryFolder() };
    const { line } = await lineOf(variables, { packages: false });
    assert.equal(line, "npm may not use the network, because of the setting offline of npm (npm_config_offline)");
  });

  test("npm start names the host from which rustup could not install Rust", { timeout: 180_000 }, async () => {
    const { line, output } = await lineOf({ ...proxy, RUSTUP_HOME: temporaryFolder(), RUSTUP_TOOLCHAIN: undefined });
    assert.match(line, /^rustup could not reach [\w.-]+ /);
    assert.ok(line.endsWith(through), line);
    assert.match(output, /error: could not download file/);
  });

  test("npm start names the host from which cargo could not get the build tools", { timeout: 180_000 }, async () => {
    const { line, output } = await lineOf({
      ...proxy,
      CARGO_HOME: temporaryFolder(),
      XDG_CACHE_HOME: temporaryFolder(),
    });
    assert.match(line, /^cargo could not reach [\w.-]+ /);
    assert.ok(line.endsWith(through), line);
    assert.match(output, /error: .*\n\nCaused by:/);
  });

  test("npm start names the host from which worker-build could not get crates", { timeout: 180_000 }, async () => {
    const { line } = await lineOf({ ...proxy, CARGO_HOME: temporaryFolder() });
    assert.match(line, /^worker-build could not reach [\w.-]+ /);
    assert.ok(line.endsWith(through), line);
  });

  test("npm start names the setting that forbids cargo to use the network", { timeout: 180_000 }, async () => {
    const empty = { CARGO_NET_OFFLINE: "true", CARGO_HOME: temporaryFolder() };
    const setting = "may not use the network, because of the setting net.offline of cargo (CARGO_NET_OFFLINE)";
    const crates = await lineOf(empty);
    assert.equal(crates.line, `worker-build ${setting}`);
    const tools = await lineOf({ ...empty, XDG_CACHE_HOME: temporaryFolder() });
    assert.equal(tools.line, `cargo ${setting}`);
  });

  test("a script names the host from which worker-build could not download wasm-bindgen", {
    timeout: 90_000,
  }, async () => {
    const { workerBuild } = await findBuildTools();
    const call = `run(${JSON.stringify(workerBuild)}, ["--release", "."])`;
    const script = `import("./scripts/install.mjs").then(({ run }) => ${call})`;
    const variables = { ...proxy, WASM_BINDGEN_BIN: undefined, XDG_CACHE_HOME: temporaryFolder() };
    const { line, output } = await lineOf(variables, { command: [process.execPath, "-e", script] });
    assert.match(line, /^worker-build could not reach [\w.-]+$/);
    assert.match(output, /Failed to download Wasm Bindgen after/);
  });
});
