// When `sse-broadcaster dev` opens the hub by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openIfUndecided } from "../../cli/commands/dev.mjs";

const LOCAL = "127.0.0.1";

test("dev opens a hub that only this machine reaches, if no setting says who may use it", () => {
  assert.deepEqual(openIfUndecided({}, LOCAL, []), { ACCESS: "open", LOG_LEVEL: "debug" });
  assert.deepEqual(openIfUndecided({ LOG_LEVEL: "warn" }, "::1", ["--log-level", "debug"]), { ACCESS: "open" });
});

test("dev opens no hub whose settings say who may use it", () => {
  for (const name of ["ACCESS", "JWT_SECRET", "JWT_KEYS"])
    assert.deepEqual(openIfUndecided({ [name]: "" }, LOCAL, []), {});
});

test("dev opens no hub that other machines may reach, or whose settings are passed on to wrangler", () => {
  assert.deepEqual(openIfUndecided({}, "0.0.0.0", []), {});
  const options = [
    ["--ip", "0.0.0.0"],
    ["--ip=0.0.0.0"],
    ["--remote"],
    ["-r"],
    ["--tunnel"],
    ["--tunnel-name=hub"],
    ["--var", "ACCESS:token"],
    ["--env-file", "secrets.env"],
    ["--env=staging"],
    ["-e", "staging"],
  ];
  for (const passedOn of options) assert.deepEqual(openIfUndecided({}, LOCAL, passedOn), {}, passedOn.join(" "));
});
