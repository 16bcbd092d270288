// Recognizes from the output of a tool that it has failed because it could not reach a host.

/** How each tool reports which URL it could not reach. An answer with a bad status is another failure. */
const UNREACHABLE = [
  // cargo prints the number of curl's error.
  /failed to download from `(?<url>[^`]+)`\s+Caused by:\s+\[\d+\] /,
  // npm
  /request to (?<url>\S+) failed, reason: /,
  // rustup
  /error sending request for url \((?<url>[^)]+)\)/,
  // worker-build
  /after \d+ attempts\s+Caused by:\s+0: Failed to fetch URL (?<url>\S+)\s+1: (?!http status)/,
];

/** How the tools report that a setting forbids them to use the network. */
const OFFLINE = [
  { pattern: /you're using offline mode/, setting: "net.offline of cargo (CARGO_NET_OFFLINE)" },
  { pattern: /npm error code ENOTCACHED/, setting: "offline of npm (npm_config_offline)" },
];

const PROXIES = /^((https?|all)_proxy|npm_config_(https_)?proxy)$/i;

/**
 * Returns why a failed tool lacks what it needs from the network, as the end of a sentence about the tool. Returns
 * undefined if it has failed for another reason.
 * @param {string} output what the tool has printed
 * @param {NodeJS.ProcessEnv} env its environment
 */
export function explainNetworkFailure(output, env) {
  const url = UNREACHABLE.map((pattern) => parseUrl(output.match(pattern)?.groups?.url)).find(Boolean);
  if (url) return `could not reach ${url.host}${describeProxy(output, env)}`;
  const offline = OFFLINE.find(({ pattern }) => pattern.test(output));
  if (offline) return `may not use the network, because of the setting ${offline.setting}`;
  // `cargo install` does not mention the setting.
  if (env.CARGO_NET_OFFLINE === "true" && /could not find `.+` in registry/.test(output)) {
    return `may not use the network, because of the setting ${OFFLINE[0].setting}`;
  }
  return undefined;
}

/**
 * Names the proxy if the output mentions it; rustup mentions only its tunnel through the proxy. The proxy's URL may
 * contain a password, so only its host is shown.
 */
function describeProxy(output, env) {
  for (const [name, value] of Object.entries(env)) {
    const proxy = PROXIES.test(name) ? parseUrl(value) : undefined;
    if (proxy && (output.includes(proxy.hostname) || output.includes("tunnel error")))
      return ` through the proxy ${proxy.host} (${name})`;
  }
  return "";
}

/** Parses a URL, or a host and a port, which is enough to name a proxy. */
function parseUrl(text = "") {
  const url = text.includes("://") ? text : `http://${text}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}
