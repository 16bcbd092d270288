// The parameters in the address of the page: server (the URL of the hub; default: the server of this page), channel
// (one, or several with commas between them), history, catch_up, types, token.
//
// The token is for the server in the same address. This is safe, because the author of the address knew the token and
// could have sent it to that server without this page. The page removes the token from its address at once, because
// people save and share addresses.

/** The parameters, and their values if the address has none. `types` belongs to the filter of the events. */
const DEFAULTS = {
  server: location.protocol.startsWith("http") ? location.origin : "http://127.0.0.1:8080",
  channel: "foo",
  history: "",
  catch_up: "",
  types: "",
  token: "",
};

export type Parameter = keyof typeof DEFAULTS;

const address = new URLSearchParams(location.search);

/** The values of all parameters when the page was opened. */
export const opened: Record<Parameter, string> = { ...DEFAULTS };
for (const name of Object.keys(DEFAULTS) as Parameter[]) opened[name] = address.get(name) || DEFAULTS[name];
if (address.has("token")) show();

/** Changes parameters in the address of the page. An empty value removes its parameter. */
export function setParameters(values: Partial<Record<Exclude<Parameter, "token">, string>>) {
  for (const [name, value] of Object.entries(values)) {
    if (value) address.set(name, value);
    else address.delete(name);
  }
  show();
}

function show() {
  address.delete("token");
  history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
}

/**
 * Returns an address of the same view for another person, without the token. Only this machine has a page of the file
 * system, so the address is then that of the hub's own console.
 */
export function sharedAddress(server = DEFAULTS.server): string {
  const query = new URLSearchParams(address);
  const isFile = !location.protocol.startsWith("http");
  if (isFile || server === location.origin) query.delete("server");
  const page = isFile ? `${server}/` : location.origin + location.pathname;
  return query.size ? `${page}?${query}` : page;
}
