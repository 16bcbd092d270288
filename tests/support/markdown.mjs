// The documentation as tests read it: Markdown files, their fenced code blocks, and the marks on these blocks.
//
// A mark is an HTML comment before a block, which readers do not see:
//   <!-- test: NAME -->      a test finds the block by this name, with `namedBlock`, and checks it
//   <!-- run by: FILES -->   these test files run the same commands, with other ports and options
//   <!-- not run: REASON --> no test can run it
// tests/docs runs all blocks without a mark.
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../../scripts/install.mjs";
import { read } from "./sources.mjs";

const NOT_OURS = ["node_modules", "target", "build", "state"];

/**
 * A fenced code block of a page.
 * @typedef {object} Block
 * @property {string} page the path of the Markdown file, relative to the project's folder
 * @property {number} line the line of the opening fence
 * @property {string} language the word after the opening fence
 * @property {string} text the text between the fences
 * @property {{ kind: string, text: string } | undefined} mark the comment before it
 */

/** Returns the paths of all files below `folder` whose names end in `suffix`, relative to the project's folder. */
export function filesBelow(folder, suffix) {
  const found = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const hidden = entry.name.startsWith(".") && entry.name !== ".github";
    if (entry.isDirectory() && !hidden && !NOT_OURS.includes(entry.name)) found.push(...filesBelow(path, suffix));
    if (entry.isFile() && entry.name.endsWith(suffix)) found.push(relative("", path));
  }
  return found.sort();
}

/** The pages whose blocks tests run. */
export const PAGES = ["README.md", "SECURITY.md", ...filesBelow("docs", ".md"), ...filesBelow("examples", ".md")];

/**
 * Returns the blocks of a page, in order.
 * @returns {Block[]}
 */
export function blocksOf(page) {
  const blocks = [];
  let open;
  let before = "";
  for (const [index, line] of read(page).split("\n").entries()) {
    const fence = line.match(/^```(\w*)$/);
    if (open && line === "```") {
      blocks.push({ ...open, text: `${open.lines.join("\n")}\n` });
      open = undefined;
      before = "";
    } else if (open) {
      open.lines.push(line);
    } else if (fence) {
      const mark = before.match(/^<!-- (test|run by|not run): (.+) -->$/);
      open = { page, line: index + 1, language: fence[1], lines: [] };
      if (mark) open.mark = { kind: mark[1], text: mark[2] };
    } else if (line.trim()) {
      before = line;
    }
  }
  if (open) throw new Error(`${page}:${open.line}: this block has no end`);
  return blocks;
}

/** Returns the text of the only block with the mark `<!-- test: name -->`. */
export function namedBlock(name) {
  const found = PAGES.flatMap(blocksOf).filter(({ mark }) => mark?.kind === "test" && mark.text === name);
  if (found.length !== 1) throw new Error(`${found.length} blocks are marked <!-- test: ${name} -->, not one`);
  return found[0].text;
}

/** Returns a page's text without its code, which has no links. */
const proseOf = (page) =>
  read(page)
    .replace(/^```.*?^```$/gms, "")
    .replace(/`[^`\n]*`/g, "`code`");

/** Returns the targets of the links and pictures of a page. */
export function targetsOf(page) {
  const prose = proseOf(page);
  const inline = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)];
  const references = [...prose.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  const html = [...prose.matchAll(/\b(?:href|src|srcset)="([^"]+)"/g)];
  return [...inline, ...references, ...html].map(([, target]) => target);
}

/** Returns the rows of the table of a page whose header row begins with `first`, as lists of cells, the header row first. */
export function tableOf(page, first) {
  const rows = [];
  for (const line of read(page).split("\n")) {
    const cells = line.startsWith("|") ? line.slice(1, line.lastIndexOf("|")).split("|") : undefined;
    if (!cells && rows.length > 0) break;
    if (cells && (rows.length > 0 || cells[0].trim() === first)) rows.push(cells.map((cell) => cell.trim()));
  }
  if (rows.length < 3) throw new Error(`${page} has no table that begins with ${first}`);
  return rows.filter((_, index) => index !== 1);
}
