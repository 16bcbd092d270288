// A row of the log or of a page of the history.
import { copyFrom } from "../clipboard.ts";
import { make, timeOfDay } from "../dom.ts";
import { printJson, type Token } from "./json.ts";
import type { Entry } from "./store.ts";

/** How many lines of data a folded row shows. */
export const FOLDED_LINES = 8;
/** How many characters of data a folded row shows, in as many lines. */
const FOLDED_CHARS = 1_000;

/** Makes the row of an entry. An event of the history has no time. */
export function makeRow(entry: Omit<Entry, "n" | "time"> & { n?: number; time?: number }): HTMLLIElement {
  const row = make("li", "row");
  if (entry.n !== undefined) row.dataset.n = String(entry.n);
  row.dataset.kind = entry.kind;
  if (entry.state) row.dataset.state = entry.state;
  if (entry.type === "hub.end") row.classList.add("end");
  const time = make("time", "time", entry.time === undefined ? "" : timeOfDay(entry.time));
  if (entry.time !== undefined) time.dateTime = new Date(entry.time).toISOString();
  const about = make("span", "about");
  if (entry.channel) about.append(make("span", "channel", entry.channel));
  about.append(make("span", "type", entry.type));
  if (entry.id) {
    const id = make("span", "id", entry.id);
    // A screen reader should not read the 15 digits of every id.
    id.ariaHidden = "true";
    about.append(id);
  }
  row.append(time, about, copyButton(entry), makeBody(entry));
  return row;
}

function copyButton({ kind, data, id }: Pick<Entry, "kind" | "data" | "id">): HTMLElement {
  if (kind !== "event") return make("span");
  const button = make("button", "copy", "Copy");
  button.type = "button";
  button.ariaLabel = id ? `Copy the data of ${id}` : "Copy the data";
  button.addEventListener("click", () => copyFrom(button, data));
  return button;
}

function makeBody({ kind, data }: Pick<Entry, "kind" | "data">): HTMLElement {
  const body = make("div", "body");
  const pre = make("pre", "data");
  pre.dir = "auto";
  body.append(pre);
  const lines = linesOf(kind === "event" ? data : "") ?? plainLines(data);
  const folded = fold(lines);
  fill(pre, folded.lines);
  if (folded.isWhole) return body;
  const more = make("button", "more");
  more.type = "button";
  const showLabel = lines.length > FOLDED_LINES ? `Show all ${lines.length} lines` : "Show all of it";
  const show = (all: boolean) => {
    fill(pre, all ? (linesOf(data) ?? plainLines(data)) : folded.lines);
    more.textContent = all ? "Show less" : showLabel;
    more.ariaExpanded = String(all);
  };
  show(false);
  more.addEventListener("click", () => show(more.ariaExpanded === "false"));
  body.append(more);
  return body;
}

const linesOf = printJson;
const plainLines = (text: string): Token[][] => text.split("\n").map((line) => [{ text: line, kind: "plain" }]);

/** Returns the part of the lines that fits into a folded row, and whether that is all of them. */
function fold(lines: Token[][]): { lines: Token[][]; isWhole: boolean } {
  let chars = FOLDED_CHARS;
  const shown: Token[][] = [];
  for (const line of lines.slice(0, FOLDED_LINES)) {
    const part: Token[] = [];
    for (const token of line) {
      if (chars <= 0) break;
      const isCut = token.text.length > chars;
      part.push(isCut ? { ...token, text: `${token.text.slice(0, chars)}…` } : token);
      chars -= token.text.length;
    }
    shown.push(part);
    if (chars <= 0) break;
  }
  return { lines: shown, isWhole: lines.length <= FOLDED_LINES && chars >= 0 };
}

/** Puts lines into an element. Tokens of the same kind that follow each other are one text. */
function fill(element: HTMLElement, lines: Token[][]) {
  element.replaceChildren();
  let plain = "";
  const flush = () => {
    if (plain) element.append(plain);
    plain = "";
  };
  lines.forEach((line, at) => {
    if (at > 0) plain += "\n";
    for (const { text, kind } of line) {
      if (kind === "plain") {
        plain += text;
        continue;
      }
      flush();
      element.append(make("span", kind, text));
    }
  });
  flush();
}
