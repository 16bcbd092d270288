// What Cloudflare's static assets are for the deployed Worker, for bare workerd, where this runs: the files of the disk
// service PUBLIC. The Worker sends only GET and HEAD here.
const TYPES = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  txt: "text/plain; charset=utf-8",
  yaml: "application/yaml",
};
const UNKNOWN_TYPE = "application/octet-stream";

const notFound = () => new Response(null, { status: 404 });

/** The file that a path names, percent-encoded anew, or undefined where it can be none. */
function fileOf(pathname) {
  const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  try {
    const segments = path.slice(1).split("/").map(decodeURIComponent);
    // Hidden files, "." and ".." among them, and what would be two segments once it is decoded.
    const odd = (segment) => segment === "" || segment.startsWith(".") || /[/\\\0]/.test(segment);
    if (segments.some(odd)) return undefined;
    return segments.map(encodeURIComponent).join("/");
  } catch {
    return undefined;
  }
}

export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const file = fileOf(pathname);
    if (!file) return notFound();
    if (pathname.endsWith("/index.html")) {
      const folder = pathname.slice(0, -"index.html".length);
      return new Response(null, { status: 307, headers: { Location: folder + search } });
    }
    const answer = await env.PUBLIC.fetch(`http://public/${file}`, { method: request.method });
    // A folder is listed as JSON; a file always comes as bytes.
    if (answer.status !== 200 || answer.headers.get("Content-Type") !== UNKNOWN_TYPE) return notFound();
    const response = new Response(answer.body, answer);
    response.headers.set("Content-Type", TYPES[file.split(".").at(-1).toLowerCase()] ?? UNKNOWN_TYPE);
    response.headers.set("Cache-Control", "public, max-age=0, must-revalidate");
    return response;
  },
};
