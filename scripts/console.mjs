// Builds the console: console/ becomes the one file public/index.html, with an inline script and an inline style. One
// file also works when it is opened from the file system, where browsers import no modules. `scripts/build.mjs` runs this.
//
// The page has a Content-Security-Policy of its own, because another web server or the file system sends none. The hub
// sends the same policy as a header, with `frame-ancestors`, which a page cannot set itself (src/http/page_headers.rs).
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages, root, say } from "./install.mjs";

const PAGE = join(root, "public", "index.html");
const PLACES = {
  policy: "<!-- policy -->",
  style: '<link rel="stylesheet" href="style/main.css">',
  script: '<script type="module" src="main.ts"></script>',
};
/** The oldest browsers that the console supports: the first ones with light-dark() and AbortSignal.any(). */
const BROWSERS = ["chrome123", "firefox124", "safari17.5"];

/** Returns the bundle of a file in console/ as a text. */
async function bundle(file) {
  // esbuild is installed only after this module is loaded.
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(root, "console", file)],
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: BROWSERS,
    legalComments: "none",
    write: false,
  });
  return outputFiles[0].text.trim();
}

const hashOf = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Replaces a placeholder, which has to be in the page once. */
function replace(html, place, text) {
  if (html.split(place).length !== 2) throw new Error(`console/index.html has to have ${place} once`);
  return html.replace(place, () => text);
}

/** Returns the text of the page. */
async function consolePage() {
  const [script, style] = await Promise.all([bundle("main.ts"), bundle("style/main.css")]);
  for (const [name, text] of Object.entries({ script, style })) {
    // The hub finds the texts to hash between these tags, and so does a browser.
    if (/<\/?(script|style)|<!--/i.test(text)) throw new Error(`the ${name} of the console contains a tag`);
  }
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "img-src data:",
    "connect-src http: https:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  let html = readFileSync(join(root, "console", "index.html"), "utf8");
  html = replace(html, PLACES.policy, `<meta http-equiv="Content-Security-Policy" content="${policy}">`);
  html = replace(html, PLACES.style, `<style>${style}</style>`);
  return replace(html, PLACES.script, `<script>${script}</script>`);
}

/** Writes public/index.html if it differs from what console/ has now. */
export async function buildConsole() {
  await installPackages();
  const html = await consolePage();
  if (existsSync(PAGE) && readFileSync(PAGE, "utf8") === html) return;
  writeFileSync(PAGE, html);
  say(`built the console (${Math.round(html.length / 1024)} KiB)`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildConsole();
