// The token of a hub. A function that returns tokens is called for all streams together, and not again while the client
// waits for its answer.
import { sleep } from "./timing.ts";

/** A token is renewed this long before it expires, or when half of its life is over if that is later. */
const EARLY_MS = 30_000;
/** How long a function may take to return a token, in milliseconds. After that, its answer is ignored. */
const TOKEN_MS = 20_000;

/** Returns the claims of a JWT. Throws an error if the token is not a JWT. The hub verifies the token, not this code. */
export function claimsOf(token: string): Record<string, unknown> {
  // atob decodes no UTF-8. Equal tokens still have equal claims, and the claims that the client reads are ASCII.
  return JSON.parse(atob((token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/")));
}

/** The tokens of a hub. Requests get their token from here. */
export interface Tokens {
  /** Returns the current token, and renews it first if that is due. Rejects if that fails and there is no old token. */
  get(): Promise<string | undefined>;
  /** Forgets `token`, which the hub has refused. The next `get` asks for another one. */
  drop(token: string | undefined): void;
  /** Returns the milliseconds until the current token should be renewed, or NaN if it should not. */
  renewIn(): number;
}

function check(token: unknown): string {
  const text = `${token ?? ""}`.trim();
  if (/^[!-~]+$/.test(text)) return text;
  throw new TypeError("token: expected a JWT (a function has 20 s)");
}

/** Throws a TypeError if `source` is neither a token nor a function. */
export function createTokens(source: string | (() => string | Promise<string>) | undefined): Tokens {
  const ask = typeof source === "function" && source;
  let current = ask || source === undefined ? undefined : check(source);
  /** When to renew the token, in milliseconds since 1970, if that is known. */
  let renewAt: number | undefined;
  let pending: Promise<string> | undefined;

  const renewIn = () => (renewAt as number) - Date.now();

  async function renew(ask: () => string | Promise<string>) {
    const answered = new AbortController();
    try {
      current = check(await Promise.race([ask(), sleep(TOKEN_MS, answered.signal)]));
      renewAt = undefined;
      const expiry = (claimsOf(current).exp as number) * 1_000;
      const life = expiry - Date.now();
      // If the clock of this machine is wrong, the hub says when a token has expired.
      if (life > 0) renewAt = expiry - Math.min(EARLY_MS, life / 2);
    } catch (error) {
      // A token that is renewed early is still good. Only the hub knows whether a token that is no JWT is good.
      if (!current) throw error;
    } finally {
      answered.abort();
    }
    return current;
  }

  return {
    async get() {
      // A timer may fire some milliseconds early.
      if (!ask || (current && !(renewIn() < 9))) return current;
      pending ??= renew(ask).finally(() => {
        pending = undefined;
      });
      return pending;
    },
    drop(token) {
      if (ask && current === token) current = undefined;
    },
    renewIn,
  };
}
