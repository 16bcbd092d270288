// HAProxy in front of the hub, with examples/proxies/haproxy.cfg.
import { PROXIES } from "../support/proxies.mjs";
import { testProxy } from "../support/proxy-rules.mjs";

await testProxy(PROXIES.haproxy, {
  onlyOrigins: (text) =>
    text.replace(/^ *http-request set-var\(txn\.origin\) str\(\*\)\n/m, "").replace(/^( *)# (http-)/gm, "$1$2"),
});
