// nginx in front of the hub, with examples/proxies/nginx.conf.
import { PROXIES } from "../support/proxies.mjs";
import { testProxy } from "../support/proxy-rules.mjs";

await testProxy(PROXIES.nginx, {
  onlyOrigins: (text) => text.replace(/^ *default (\*|"");\n/gm, "").replace(/^( *)# (https:\/\/app)/gm, "$1$2"),
});
