// What the command of the benchmark refuses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ROWS } from "../../bench/loads.mjs";
import { changesSinceCommit, commit } from "../../bench/machine.mjs";
import { readOptions } from "../../bench/options.mjs";
import { temporaryFolder } from "../support/folder.mjs";

test("an invalid option of the benchmark is reported with the valid ones", () => {
  for (const [args, message] of [
    [["--fast"], /'--fast'[\s\S]*--quick/],
    [["--rows", "A,X"], /--rows contains "X"; choose from A, B/],
    [["--servers", "nginx"], /--servers contains "nginx"; choose from ours, history, js-object/],
    [["--runs", "1.5"], /--runs is "1.5": it has to be a whole number/],
    [["--scale", "0"], /--scale is "0": it has to be a number above 0/],
    [["A"], /'A'/],
  ]) {
    assert.throws(() => readOptions(args), { message });
  }
  const all = readOptions([]);
  assert.deepEqual([all.rows.length, all.sweep, all.soak, all.full], [8, true, false, true]);
  const some = readOptions(["--rows", "c,A", "--runs", "1"]);
  assert.deepEqual([some.rows, some.sweep, some.full], [["A", "C"], false, false]);
  // A row whose figures change little has fewer runs, unless the user says how many.
  const [C, D] = ["C", "D"].map((id) => ROWS.find((row) => row.id === id));
  assert.deepEqual([all.runsOf(C), all.runsOf(D), some.runsOf(D)], [5, 3, 1]);
});

test("code that differs from the measured commit is named, but not what the benchmark writes", () => {
  const folder = temporaryFolder();
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const git = (...args) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.com", ...args], { cwd: folder });
  assert.match(changesSinceCommit(folder), /no clone/);
  git("init", "--quiet");
  for (const path of ["src/lib.rs", "README.md"]) write(path, "1");
  git("add", ".");
  git("commit", "--quiet", "-m", "a");
  assert.equal(changesSinceCommit(folder), undefined);
  for (const path of ["README.md", "bench/README.md", "bench/results/2026-01-02.json"]) write(path, "2");
  assert.equal(changesSinceCommit(folder), undefined);
  write("src/lib.rs", "2");
  write("src/new.rs", "2");
  assert.match(changesSinceCommit(folder), /differ from the commit: src\/lib\.rs, src\/new\.rs$/);
  const measured = commit(folder);
  git("commit", "--quiet", "--all", "-m", "b");
  assert.match(changesSinceCommit(folder, measured), new RegExp(`^the commit was ${measured}, and is [0-9a-f]+ now$`));
});
