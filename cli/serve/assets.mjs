// Serves static files when the hub runs on bare workerd, as Cloudflare's static assets do for a deployed Worker. This
// is a Worker. It reads the files from the disk service PUBLIC, and gets only GET and HEAD requests.
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

/** Returns the percent-encoded file that a path names, or undefined if the path cannot name a public file. */
function fileOf(pathname) {
  const path = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
  try {
    const segments = path.slice(1).split("/").map(decodeURIComponent);
    if (!segments.every(isPublicName)) return undefined;
    return segments.map(encodeURIComponent).join("/");
  } catch {
    return undefined;
  }
}

/** Refuses hidden files (including "." and ".."), and names that contain a path separator after decoding. */
function isPublicName(segment) {
  return segment !== "" && !segment.startsWith(".") && !/[/\\\0]/.test(segment);
}

function typeOf(file) {
  return TYPES[file.slice(file.lastIndexOf(".") + 1).toLowerCase()] ?? UNKNOWN_TYPE;
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
    // The disk service lists a folder as JSON. The content of a file always has the unknown type.
    if (answer.status !== 200 || answer.headers.get("Content-Type") !== UNKNOWN_TYPE) return notFound();
    const response = new Response(answer.body, answer);
    response.headers.set("Content-Type", typeOf(file));
    response.headers.set("Cache-Control", "public, max-age=0, must-revalidate");
    return response;
  },
};
