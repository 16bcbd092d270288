// The table of docs/api.md lists the requests of the API.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { tableOf } from "../support/markdown.mjs";
import { apiTable } from "../support/sources.mjs";

const fileOf = (path) => join(root, "public", path === "/" ? "index.html" : path);

test("docs/api.md lists exactly the requests of the table in src/http/route.rs, and files", () => {
  const [, ...rows] = tableOf("docs/api.md", "Request");
  const requests = rows.flatMap(([cell]) => cell.match(/^`([A-Z]+ \/\S*)`$/)?.[1] ?? []);
  // The last row of the table describes HEAD and OPTIONS of all paths.
  assert.equal(rows.at(-1)[0], "`HEAD`, `OPTIONS`");
  assert.equal(requests.length, rows.length - 1);
  const known = apiTable().flatMap(({ path, methods }) =>
    methods.filter((method) => method !== "HEAD").map((method) => `${method} ${path}`),
  );
  for (const request of requests.filter((request) => !known.includes(request))) {
    const [method, path] = request.split(" ");
    assert.ok(method === "GET" && existsSync(fileOf(path)), request);
  }
  assert.deepEqual(
    known.filter((request) => !requests.includes(request)),
    [],
    "requests that docs/api.md lacks",
  );
});
