// A small website whose users get tokens for a hub. It knows its users, signs tokens, and answers requests.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { SignJWT } from "jose";

const { JWT_SECRET = "", USERS = "", PORT = "3000", TOKEN_SECONDS = "300" } = process.env;
if (Buffer.byteLength(JWT_SECRET) < 32) throw new Error("Set JWT_SECRET to the hub's secret of at least 32 bytes.");
// A name has no dot, because a dot ends the name in `job.alice.*`: that pattern has to match no other user's channels.
if (!/^[\w-]{1,64}:\S+( [\w-]{1,64}:\S+)*$/.test(USERS)) {
  throw new Error('Set USERS to names (A-Z a-z 0-9 _ -) and passwords: "alice:one bob:two".');
}

/** The passwords of the users. A site of yours has its own accounts and sessions instead. */
const passwords = new Map(USERS.split(" ").map((user) => [user.split(":", 1)[0], user.replace(/^.*?:/, "")]));
const digest = (text) => createHash("sha256").update(text).digest();

/** Returns the name of the user who sends a request, or undefined. Browsers ask for the name and the password. */
function userOf({ headers: { authorization = "" } }) {
  const credentials = Buffer.from(authorization.replace(/^Basic /i, ""), "base64").toString();
  const [, name, password] = credentials.match(/^([^:]*):(.*)$/) ?? [];
  const expected = passwords.get(name);
  return expected !== undefined && timingSafeEqual(digest(expected), digest(password)) ? name : undefined;
}

/** Signs a token for the hub. It is valid for some minutes; a page that is still open then asks for another one. */
export function sign(claims) {
  const key = new TextEncoder().encode(JWT_SECRET);
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setExpirationTime(`${TOKEN_SECONDS} s`).sign(key);
}

const SIGN_IN = { "WWW-Authenticate": 'Basic realm="example", charset="UTF-8"' };
/** No other site may read an answer, and no cache may keep it. */
const PRIVATE = { "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin" };

/**
 * Serves a page at http://127.0.0.1:PORT/. `subscribe` returns the channels to which a user may subscribe. `routes` has
 * more answers, as functions of the user: `{ "POST /job": (user) => "job.1" }`.
 */
export function startSite({ page, subscribe, routes = {} }) {
  const answers = {
    "GET /": () => readFileSync(page, "utf8"),
    "GET /me": (user) => user,
    "GET /token": (user) => sign({ sub: user, subscribe: subscribe(user) }),
    ...routes,
  };
  const server = createServer(async (request, response) => {
    const user = userOf(request);
    const answer = answers[`${request.method} ${request.url}`];
    if (!user) return response.writeHead(401, SIGN_IN).end("Sign in.\n");
    if (!answer) return response.writeHead(404).end("There is nothing here.\n");
    // A browser sends the password with requests of other sites' pages, too.
    const isForeign = request.method !== "GET" && request.headers["sec-fetch-site"] !== "same-origin";
    if (isForeign) return response.writeHead(403).end("Only this site's own pages may do this.\n");
    try {
      const type = request.url === "/" ? "text/html" : "text/plain";
      const text = await answer(user);
      response.writeHead(200, { ...PRIVATE, "Content-Type": `${type}; charset=utf-8` }).end(text);
    } catch (error) {
      console.error(error);
      response.writeHead(502).end("The hub did not answer as expected.\n");
    }
  });
  server.listen(Number(PORT), "127.0.0.1", () => console.log(`serving http://127.0.0.1:${PORT}`));
}
