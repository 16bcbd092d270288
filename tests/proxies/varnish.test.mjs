// Varnish in front of the hub, and hitch in front of Varnish, with examples/proxies/varnish.vcl and hitch.conf.
import { PROXIES } from "../support/proxies.mjs";
import { testProxy } from "../support/proxy-rules.mjs";

await testProxy(PROXIES.varnish, {
  onlyOrigins: (text) =>
    text
      .replace(/^ *set beresp\.http\.Access-Control-Allow-Origin = "\*";\n/m, "")
      .replace(/^( *)# ( *(if \(bereq\.http\.Origin|set|\}))/gm, "$1$2"),
});
