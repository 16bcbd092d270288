// Apache in front of the hub, with examples/proxies/apache.conf.
import { PROXIES } from "../support/proxies.mjs";
import { testProxy } from "../support/proxy-rules.mjs";

await testProxy(PROXIES.apache, {
  // mod_http2 works on six requests of a connection at the same time.
  streams: 5,
  onlyOrigins: (text) =>
    text
      .replace(/^ *Header always set Access-Control-Allow-Origin \*\n/m, "")
      .replace(/^( *)# (SetEnvIf|Header)/gm, "$1$2"),
});
