// Runs code blocks of the documentation, as a reader would.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "./folder.mjs";
import { EPOCH } from "./subscriber.mjs";

const execute = promisify(execFile);

/** The languages of blocks that show what the commands before them print. */
export const OUTPUTS = ["text", "json"];

/** The epochs in a text: in ids, and as a JSON string of their own. */
const EPOCHS = new RegExp(`\\b${EPOCH}(?=-\\d|")`, "g");

/** Files that the commands of the documentation make in the project's folder. */
const MADE_BY_COMMANDS = ["hub.log", "key.pem", "state"];

/** The address in the documentation. */
const SHOWN_ORIGIN = "http://127.0.0.1:8080";

const PUBLISHERS = join("examples", "publishers");
const RUST = join(PUBLISHERS, "rust");
/** The crates are compiled once, and with the toolchain of this project. */
const CARGO = ["run", "--locked", "--quiet", "--target-dir", join("target", "examples"), "--manifest-path"];

/** The publishers of docs/publishing.md by the language of their blocks, and how to run their files. */
export const PUBLISHER_FILES = {
  sh: { command: "bash", packageName: "bash", file: join(PUBLISHERS, "publish.sh") },
  js: { command: "node", packageName: "nodejs", file: join(PUBLISHERS, "publish.mjs") },
  python: { command: "python3", packageName: "python3", file: join(PUBLISHERS, "publish.py") },
  go: { command: "go", packageName: "golang-go", args: ["run"], file: join(PUBLISHERS, "publish.go") },
  php: { command: "php", packageName: "php-cli", file: join(PUBLISHERS, "publish.php") },
  ruby: { command: "ruby", packageName: "ruby", file: join(PUBLISHERS, "publish.rb") },
  rust: {
    command: "cargo",
    packageName: "cargo",
    args: [...CARGO, join(RUST, "Cargo.toml")],
    file: join(RUST, "src", "main.rs"),
  },
};

/**
 * Why a test that needs `command` has to be skipped, or false. With REQUIRE_TOOLS, as in .ci/run, no test is skipped: a
 * test whose tool is missing fails.
 */
export function missingTool(command, packageName) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  if (folders.some((folder) => existsSync(join(folder, command)))) return false;
  const message = `this machine has no ${command} (Debian: apt-get install ${packageName})`;
  if (!process.env.REQUIRE_TOOLS) return message;
  console.error(message);
  return false;
}

/** Runs the publisher of a language, with variables of the environment. Returns what it prints. */
export async function runPublisher(language, variables) {
  const { command, args = [], file } = PUBLISHER_FILES[language];
  const last = command === "cargo" ? [] : [file];
  const { stdout } = await execute(command, [...args, ...last], { cwd: root, env: { ...process.env, ...variables } });
  return stdout;
}

/** Defines the `curl` of the blocks: it fails at an error, and reads a stream (-N) for only three seconds. */
const PRELUDE = `
set -euo pipefail
curl() {
  local status=0 limit=10
  case " $* " in *" -N "*) limit=3 ;; esac
  command curl -sS -m $limit "\${CURL_FAIL[@]}" "$@" || status=$?
  if [ $status = 28 ] && [ $limit = 3 ]; then return 0; fi
  return $status
}
`;

/** A folder that looks like the project's, in which commands can make files. */
function copyOfProject() {
  const folder = temporaryFolder();
  for (const name of readdirSync(root)) {
    if (!MADE_BY_COMMANDS.includes(name)) symlinkSync(join(root, name), join(folder, name));
  }
  return folder;
}

/** A shell that runs blocks one after the other. Variables that a block sets are there for the next ones. */
export class Shell {
  #folder = copyOfProject();
  #variables = join(temporaryFolder(), "variables");
  #epoch = "";

  /** `origin` replaces the address in the documentation; `env` has further variables. */
  constructor(origin, env = {}) {
    this.origin = origin;
    this.env = env;
    writeFileSync(this.#variables, "");
  }

  /** Runs a block, and returns what it prints. If `expectError`, curl prints errors of the hub and succeeds. */
  async run(text, expectError = false) {
    const block = text.replaceAll(SHOWN_ORIGIN, this.origin).replace(EPOCHS, this.#epoch);
    const fail = `CURL_FAIL=(${expectError ? "" : "--fail-with-body"})`;
    const variables = `"${this.#variables}"`;
    const script = `. ${variables}\n${PRELUDE}${fail}\nset -a\n${block}\nset +a\nexport -p > ${variables}\n`;
    const env = { ...process.env, ...this.env };
    const { stdout } = await execute("bash", ["-c", script], { cwd: this.#folder, env, timeout: 60_000 });
    this.#epoch = stdout.match(EPOCHS)?.[0] ?? this.#epoch;
    return stdout;
  }
}

/** The second half of the ids of a stream of several channels. */
const POSITIONS = /;[\w-]+$/gm;

/** Sorts the blocks of a stream of several channels, because there is no order between the channels. */
function inOrder(output) {
  if (!output.match(POSITIONS)) return output;
  const blocks = output.replace(/retry: \d+$/gm, "$&\n").split("\n\n");
  return blocks.sort().join("\n\n");
}

/**
 * Masks the parts of an output that differ from run to run: epochs, positions, reconnection times, counts of streams
 * and seconds. Also removes white space, because the answer of /healthz has no line end.
 */
export function masked(output) {
  return inOrder(output.replace(EPOCHS, "EPOCH").replace(POSITIONS, ";POSITIONS"))
    .replace(/^(.*)retry: \d+$/gm, "$1retry: MS")
    .replace(/"(subscribers|feeds|connected|awake_since|uptime_seconds)":\d+/g, '"$1":N')
    .replace(/\s+/g, "");
}
