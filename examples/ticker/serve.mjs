// Builds the pages with esbuild, and serves them at http://127.0.0.1:PORT/react/, /vue/, /svelte/ and /htmx/.
import { readFile } from "node:fs/promises";
import { context } from "esbuild";
import { compile } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";

const { PORT = "3000" } = process.env;

/** Compiles the components of Vue. */
const vue = {
  name: "vue",
  setup(build) {
    build.onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor } = parse(await readFile(path, "utf8"), { filename: path });
      return { contents: compileScript(descriptor, { id: path, inlineTemplate: true }).content };
    });
  },
};

/** Compiles the components of Svelte. */
const svelte = {
  name: "svelte",
  setup(build) {
    build.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      return { contents: compile(await readFile(path, "utf8"), { filename: path }).js.code };
    });
  },
};

const build = await context({
  absWorkingDir: import.meta.dirname,
  entryPoints: [
    { in: "react/main.jsx", out: "react/page" },
    { in: "vue/main.js", out: "vue/page" },
    { in: "svelte/main.js", out: "svelte/page" },
    { in: "htmx.org/dist/htmx.min.js", out: "htmx/htmx.min" },
    { in: "htmx-ext-sse/dist/sse.min.js", out: "htmx/sse.min" },
  ],
  outdir: ".",
  write: false,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  loader: { ".min.js": "copy" },
  conditions: ["browser"],
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
  plugins: [vue, svelte],
});
await build.rebuild();
await build.serve({ servedir: ".", host: "127.0.0.1", port: Number(PORT) });
console.log(`serving http://127.0.0.1:${PORT}/react/, /vue/, /svelte/ and /htmx/`);
