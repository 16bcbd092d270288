// Reads the claims of a token. Only the hub can verify its signature.

/** The claims of a token that the page uses. Times are in milliseconds since 1970. */
export interface Claims {
  publish: string[];
  subscribe: string[];
  expires?: number;
  notBefore?: number;
  subject?: string;
}

/** Returns the claims of a token, or undefined if the text is not a JWT. */
export function decode(token: string): Claims | undefined {
  const parts = token.split(".");
  const [, payload] = parts;
  if (parts.length !== 3 || !payload) return undefined;
  try {
    const claims = JSON.parse(textOf(payload));
    if (typeof claims !== "object" || claims === null) return undefined;
    return {
      publish: listOf(claims.publish),
      subscribe: listOf(claims.subscribe),
      expires: timeOf(claims.exp),
      notBefore: timeOf(claims.nbf),
      subject: typeof claims.sub === "string" ? claims.sub : undefined,
    };
  } catch {
    return undefined;
  }
}

function textOf(base64url: string): string {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}

const listOf = (claim: unknown) => (Array.isArray(claim) ? claim.filter((item) => typeof item === "string") : []);
const timeOf = (claim: unknown) => (typeof claim === "number" ? claim * 1_000 : undefined);

/** Whether patterns of a claim allow a channel. A pattern that ends in `*` stands for any ending. */
export function allows(patterns: string[], channel: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith("*") ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern,
  );
}

/** A duration in words, like "59 s", "12 min 5 s", "3 h 20 min", "6 d 4 h". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}
