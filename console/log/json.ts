// Prints JSON with one member on each line. The text of names and values stays as it is, because parsing and printing
// again would change numbers with many digits and drop repeated names.

/** A part of printed JSON, and its kind. */
export interface Token {
  text: string;
  kind: "key" | "string" | "number" | "plain";
}

/** JSON that is nested deeper is shown as it is: the indentation would take more room than the data. */
const MAX_DEPTH = 32;
const INDENT = "  ";
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;
const CLOSING = { "{": "}", "[": "]" } as const;

/** Returns the lines of an object or array as tokens, or undefined if `text` is not JSON of such a value. */
export function printJson(text: string): Token[][] | undefined {
  if (!/^\s*[{[]/.test(text) || !isJson(text)) return undefined;
  const tokens = text.match(TOKEN) ?? [];
  const lines: Token[][] = [[]];
  let depth = 0;
  const put = (token: string, kind: Token["kind"] = "plain") => lines.at(-1)?.push({ text: token, kind });
  const newLine = () => lines.push([{ text: INDENT.repeat(depth), kind: "plain" }]);
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    const next = tokens[at + 1];
    if (token === "{" || token === "[") {
      if (next === CLOSING[token]) {
        put(token + next);
        at += 1;
        continue;
      }
      depth += 1;
      if (depth > MAX_DEPTH) return undefined;
      put(token);
      newLine();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      newLine();
      put(token);
    } else if (token === ",") {
      put(token);
      newLine();
    } else if (token === ":") put(": ");
    else put(token, kindOf(token, next));
  }
  return lines;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function kindOf(token: string, next: string | undefined): Token["kind"] {
  if (token.startsWith('"')) return next === ":" ? "key" : "string";
  return "number";
}
