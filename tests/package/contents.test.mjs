// What the tarball of the package contains.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { VERSIONS } from "../../cli/tools/versions.mjs";
import { fromPackage, node } from "../../scripts/install.mjs";
import { filesBelow, targetsOf } from "../support/markdown.mjs";
import { execute, installPackage } from "../support/package.mjs";
import { read } from "../support/sources.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const project = await installPackage();
const files = readdirSync(project.package, { recursive: true, encoding: "utf8", withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(project.package.length + 1));
const manifest = JSON.parse(readFileSync(join(project.package, "package.json"), "utf8"));

test("the package has the built hub, the commands, the console and the documentation, and no sources of the build", () => {
  for (const path of ["build/index.js", "build/index_bg.wasm", "src/entry.mjs", "src/worker.mjs", "wrangler.toml"]) {
    assert.ok(files.includes(path), path);
  }
  // The sources of a program in Rust are only in the repository.
  for (const path of filesBelow("examples", "").filter((path) => !path.startsWith("examples/publishers/rust/"))) {
    assert.ok(files.includes(path), path);
  }
  for (const path of [...filesBelow("cli", ".mjs"), ...filesBelow("docs", ".md"), "README.md", "LICENSE-MIT"]) {
    assert.ok(files.includes(path), path);
  }
  const allowed = /^(bench|build|cli|docs|examples|public|src)\/|^[A-Z-]+(\.md)?$|^(package\.json|wrangler\.toml)$/;
  assert.deepEqual(
    files.filter((path) => !allowed.test(path) || /\.(rs|lock)$|\.(test|map)\.|^scripts|^build\/worker/.test(path)),
    [],
  );
  const packed = files.reduce((sum, path) => sum + statSync(join(project.package, path)).size, 0);
  assert.ok(packed < 3_000_000, `${packed} bytes`);
});

test("the links of the documentation lead to files of the package, if they do not lead to sources", () => {
  for (const page of files.filter((path) => path.endsWith(".md"))) {
    for (const target of targetsOf(page).filter((target) => !/^(https?:|mailto:|#)/.test(target))) {
      const path = join(dirname(page), target.split("#")[0]);
      const isSource = /^(ARCHITECTURE|bench\/README)\.md$/.test(page) && /\.(m?js|rs)$/.test(path);
      const isThere = files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, "")}/`));
      assert.ok(isThere || isSource, `${page}: ${target}`);
    }
  }
});

test("every module that the package exports is in the package, with its types", () => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    for (const path of typeof target === "string" ? [target] : Object.values(target)) {
      assert.ok(files.includes(path.slice(2)), `${name}: ${path}`);
    }
  }
  assert.ok(files.includes(manifest.bin["sse-broadcaster"]));
});

test("a module of the package imports only Node, modules of the package, and packages that npm installs with it", () => {
  const installed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  for (const path of files.filter((path) => /^(cli|src|build)\/.*\.(m?js|d\.ts)$/.test(path))) {
    const code = readFileSync(join(project.package, path), "utf8");
    for (const [, imported] of code.matchAll(/^(?:import|export)\b(?:[^;"]* from)? "([^"]+)";$/gm)) {
      if (imported.startsWith(".")) {
        // A declaration names the module that it describes.
        const file = path.endsWith(".d.ts") ? imported.replace(/\.js$/, ".d.ts") : imported;
        assert.ok(files.includes(join(path, "..", file)), `${path} imports ${imported}`);
      } else {
        const known = /^(node|cloudflare):/.test(imported) || installed.includes(imported);
        assert.ok(known, `${path} imports ${imported}`);
      }
    }
  }
});

test("an installation runs no script and adds no other package", () => {
  for (const name of ["preinstall", "install", "postinstall", "prepare"])
    assert.equal(manifest.scripts[name], undefined);
  const installed = readdirSync(join(project.folder, "node_modules")).filter((name) => !name.startsWith("."));
  assert.deepEqual(installed, ["sse-broadcaster", ...Object.keys(manifest.dependencies ?? {})].sort());
});

test("the versions of the programs are those of wrangler, and docs/package.md and the examples name them", () => {
  const { dependencies, version } = JSON.parse(read("node_modules/wrangler/package.json"));
  assert.deepEqual([version, dependencies.workerd], [VERSIONS.wrangler, VERSIONS.workerd]);
  for (const [name, version] of Object.entries(VERSIONS)) {
    assert.match(read("docs/package.md"), new RegExp(`^\\| ${name} +\\| ${version} `, "mi"), name);
  }
  for (const path of ["docs/package.md", "examples/self-hosting/README.md", "examples/self-hosting/Dockerfile"]) {
    const named = [...read(path).matchAll(/\b1\.\d{8}\.\d+\b/g)].map(([version]) => version);
    assert.ok(named.length > 0 && named.every((version) => version === VERSIONS.workerd), path);
    const tarballs = [...read(path).matchAll(/sse-broadcaster-([\d.]+)\.tgz/g)].map(([, version]) => version);
    assert.ok(tarballs.length > 0 && tarballs.every((version) => version === manifest.version), path);
  }
});

test("the client of the package publishes and receives in Node, and needs no other package", {
  timeout: 60_000,
}, async () => {
  const hub = await startWorkerd();
  const script = `
    import { connect } from "sse-broadcaster";
    const hub = connect(${JSON.stringify(hub.origin)});
    await hub.publish("foo", "from the package");
    for await (const { channel, data } of hub.subscribe("foo", { history: 1 })) {
      console.log(channel, data);
      break;
    }
    hub.close();`;
  const { stdout, stderr } = await project.run("node", "--input-type=module", "-e", script);
  assert.deepEqual([stdout, stderr], ["foo from the package\n", ""]);
});

test("the declarations of the client are valid in a project that checks all declarations", {
  timeout: 60_000,
}, async () => {
  const source = `
    import { connect, HubError } from "sse-broadcaster";
    const hub = connect("https://hub.example", { token: async () => "token" });
    for await (const { channel, data } of hub.subscribe<{ n: number }>(["a", "b"], { parse: true })) {
      console.log(channel.length, data.n + 1);
    }
    console.log((await hub.publish("a", { n: 1 })).id.length, HubError.name);`;
  writeFileSync(join(project.folder, "page.mts"), source);
  const flags =
    "--strict --noEmit --skipLibCheck false --target es2022 --module nodenext --lib es2022,dom,dom.iterable";
  const tsc = [node, fromPackage("typescript", "lib", "tsc.js"), ...flags.split(" "), "--types", "", "page.mts"];
  const { status, stdout } = await execute(tsc, { cwd: project.folder });
  assert.deepEqual([status, stdout], [0, ""]);
});
