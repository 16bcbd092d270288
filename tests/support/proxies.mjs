// Starts the proxies of examples/proxies/ in front of a hub of a test, with TLS.
//
// The files are used as they stand, except for what is in the lists `replace` below: addresses and ports, names and
// certificates, users, limits of open files, where logs go, and, in the tests of idle streams, the timeout of an idle
// stream.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { atExit, killHard } from "./cleanup.mjs";
import { temporaryFolder } from "./folder.mjs";
import { namedBlock } from "./markdown.mjs";
import { freePort } from "./port.mjs";
import { missingTool } from "./snippets.mjs";
import { read } from "./sources.mjs";
import { eventually } from "./wait.mjs";

// Debian has the proxies in a folder that only root's PATH has.
process.env.PATH += ":/usr/sbin";

const START_MS = 20_000;
/** The timeout of an idle stream in all files. */
const IDLE = "60s";

/**
 * Where a proxy of a test listens, and where its files are.
 * @typedef {object} Place
 * @property {string} folder a folder that all users can read
 * @property {number} port the port of the proxy
 * @property {number} hub the port of the hub
 * @property {string} certificate
 * @property {string} key
 * @property {string} both a file with the key and the certificate
 * @property {string} idle the timeout of an idle stream, such as "60s"
 * @property {number} inner the port between hitch and Varnish
 */

/** @typedef {[pattern: RegExp, by: string]} Replacement */

/**
 * A proxy of examples/proxies/.
 * @typedef {object} Proxy
 * @property {string} name
 * @property {[command: string, packageName: string][]} tools
 * @property {Record<string, (place: Place) => Replacement[]>} replace what a test replaces in each of its files
 * @property {(place: Place) => string[][]} commands the commands that run it, in the folder of the place
 * @property {(place: Place) => Record<string, string>} [more] further files
 */

const isRoot = process.getuid?.() === 0;

/** @type {Record<string, Proxy>} */
export const PROXIES = {
  nginx: {
    name: "nginx",
    tools: [["nginx", "nginx"]],
    replace: {
      "nginx.conf": ({ folder, port, hub, certificate, key, idle }) => [
        [/listen 443 ssl/, `listen 127.0.0.1:${port} ssl`],
        [/ssl_certificate \S+;/, `ssl_certificate ${certificate};`],
        [/ssl_certificate_key \S+;/, `ssl_certificate_key ${key};`],
        [/\/var\/log\/nginx\/hub\.log/, `${folder}/access.log`],
        [/\/var\/log\/nginx\/hub-error\.log/, `${folder}/site-error.log`],
        [/127\.0\.0\.1:8080/, `127.0.0.1:${hub}`],
        [/proxy_read_timeout 60s/, `proxy_read_timeout ${idle}`],
      ],
    },
    // What /etc/nginx/nginx.conf has around the files of conf.d.
    more: ({ folder }) => ({ "main.conf": nginxMain(folder) }),
    commands: ({ folder }) => [["nginx", "-p", folder, "-c", join(folder, "main.conf")]],
  },
  caddy: {
    name: "Caddy",
    tools: [["caddy", "caddy"]],
    replace: {
      Caddyfile: ({ folder, port, hub, certificate, key, idle }) => [
        // Without Caddy's own certificates, without its port 80, and without its admin listener.
        [/^\{\n/m, "{\n\tadmin off\n\tauto_https disable_redirects\n"],
        [/^hub\.example\.com \{/m, `https://localhost:${port} {\n\ttls ${certificate} ${key}`],
        [/\/var\/log\/caddy\/hub\.log/, `${folder}/access.log`],
        [/127\.0\.0\.1:8080/, `127.0.0.1:${hub}`],
        [/read_timeout 60s/, `read_timeout ${idle}`],
      ],
    },
    commands: ({ folder }) => [["caddy", "run", "--config", join(folder, "Caddyfile"), "--adapter", "caddyfile"]],
  },
  haproxy: {
    name: "HAProxy",
    tools: [["haproxy", "haproxy"]],
    replace: {
      "haproxy.cfg": ({ port, hub, both, idle }) => [
        [/log \/dev\/log local0/, "log stdout format raw local0"],
        [/ {4}user haproxy\n {4}group haproxy\n/, ""],
        // This needs more open files than a test may have.
        [/maxconn 30000/, "maxconn 1000"],
        [/bind :443 ssl crt \S+/, `bind 127.0.0.1:${port} ssl crt ${both}`],
        [/server hub 127\.0\.0\.1:8080/g, `server hub 127.0.0.1:${hub}`],
        [/timeout client 60s/, `timeout client ${idle}`],
        [/timeout server 60s/, `timeout server ${idle}`],
      ],
    },
    commands: ({ folder }) => [["haproxy", "-f", join(folder, "haproxy.cfg")]],
  },
  apache: {
    name: "Apache",
    tools: [["apache2", "apache2"]],
    replace: {
      "apache.conf": ({ folder, port, hub, certificate, key, idle }) => [
        [/<VirtualHost \*:443>/, `<VirtualHost 127.0.0.1:${port}>`],
        [/SSLCertificateFile \S+/, `SSLCertificateFile ${certificate}`],
        [/SSLCertificateKeyFile \S+/, `SSLCertificateKeyFile ${key}`],
        [/\/var\/log\/apache2\/hub\.log/, `${folder}/access.log`],
        [/\/var\/log\/apache2\/hub-error\.log/, `${folder}/site-error.log`],
        [/(Alias \/\.proxy\/|<Directory) \/etc\/apache2\/hub\//g, `$1 ${folder}/`],
        [/127\.0\.0\.1:8080/, `127.0.0.1:${hub}`],
        [/timeout=60 /, `timeout=${Number.parseInt(idle, 10)} `],
      ],
      "hub-away.asis": () => [],
    },
    // What /etc/apache2/apache2.conf has around the sites.
    more: (place) => ({ "main.conf": apacheMain(place) }),
    commands: ({ folder }) => [["apache2", "-d", folder, "-f", join(folder, "main.conf"), "-DFOREGROUND"]],
  },
  varnish: {
    name: "Varnish with hitch",
    tools: [
      ["varnishd", "varnish"],
      ["hitch", "hitch"],
    ],
    replace: {
      "varnish.vcl": ({ hub, idle }) => [
        [/\.port = "8080"/, `.port = "${hub}"`],
        [/\.between_bytes_timeout = 60s/, `.between_bytes_timeout = ${idle}`],
      ],
      "hitch.conf": ({ port, both, inner }) => [
        [/"\[\*\]:443"/, `"[127.0.0.1]:${port}"`],
        [/"\/etc\/hitch\/hub\.pem"/, `"${both}"`],
        [/"\[127\.0\.0\.1\]:6086"/, `"[127.0.0.1]:${inner}"`],
        [/user = .*\ngroup = .*\n/, isRoot ? 'user = "nobody"\ngroup = "nogroup"\n' : ""],
      ],
    },
    commands: ({ folder, inner, idle }) => [
      shellWords(namedBlock("varnishd command"), [
        [/\/etc\/varnish\/hub\.vcl/, join(folder, "varnish.vcl")],
        [/127\.0\.0\.1:6086/, `127.0.0.1:${inner}`],
        // The time after which Varnish ends a response, by default 10 minutes, unless the VCL sets another one.
        [/^varnishd /, `varnishd -j none -n ${folder}/varnish -p send_timeout=${Number.parseInt(idle, 10)} `],
      ]),
      shellWords(namedBlock("varnishncsa command"), [
        [/^varnishncsa /, `varnishncsa -n ${folder}/varnish -t 20 `],
        [/-w \S+/, `-w ${folder}/access.log`],
      ]),
      ["hitch", "--config", join(folder, "hitch.conf")],
    ],
  },
};

function nginxMain(folder) {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const paths = temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  return `daemon off; pid ${folder}/pid; error_log stderr; ${namedBlock("nginx limits")}
http { ${paths} include ${folder}/nginx.conf; }\n`;
}

/** The modules that Debian loads by default, and those that the comment in apache.conf has turned on. */
const APACHE_MODULES = ["mpm_event", "authz_core", "alias", "setenvif", "env", "deflate", "reqtimeout"];

function apacheMain({ folder, port }) {
  const [, named] = read("examples/proxies/apache.conf").match(/a2enmod ([a-z0-9_ ]+) &&/) ?? [];
  const modules = [...APACHE_MODULES, "proxy", "socache_shmcb", ...named.split(" ")];
  const load = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`);
  return `${load.join("\n")}
ServerName localhost
PidFile ${folder}/pid
DefaultRuntimeDir ${folder}
Mutex file:${folder}
ErrorLog /dev/stderr
Listen 127.0.0.1:${port}
User www-data
Group www-data
${namedBlock("Apache limits")}
Include ${folder}/apache.conf\n`;
}

/** Returns the words of a command of the documentation, with quotes removed. */
function shellWords(text, replacements) {
  const command = replaceAll(text.replaceAll("\\\n", " ").replace("sudo ", "").trim(), replacements);
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
}

/** @param {Replacement[]} replacements */
function replaceAll(text, replacements) {
  for (const [pattern, by] of replacements) {
    assert.match(text, pattern);
    text = text.replace(pattern, by);
  }
  return text;
}

/** Why tests of `proxy` have to be skipped, or false. */
export function missingProxy({ tools }) {
  const missing = [...tools, ["openssl", "openssl"]].map(([command, packageName]) => missingTool(command, packageName));
  return missing.find((reason) => reason) ?? false;
}

/** Makes a certificate for localhost, which this process trusts from then on. Returns its files. */
function makeCertificate(folder) {
  const [certificate, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name));
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const type = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const args = ["req", "-x509", "-days", "2", ...type, ...names, "-keyout", key, "-out", certificate];
  execFileSync("openssl", args, { stdio: "pipe" });
  writeFileSync(both, readFileSync(key, "utf8") + readFileSync(certificate, "utf8"));
  for (const path of [key, both]) chmodSync(path, 0o644);
  setDefaultCACertificates([...getCACertificates(), readFileSync(certificate, "utf8")]);
  return { certificate, key, both };
}

/**
 * Starts a proxy in front of `hub`, and ends it after the test or file that has started it.
 * @param {Proxy} proxy
 * @param {{ options: { port: number } }} hub
 * @param {{ idle?: string, edit?: (text: string) => string, scheme?: "https" | "http" }} [options] `idle` is the timeout
 *   of an idle stream; `edit` changes the text of every file
 */
export async function startProxy(proxy, hub, { idle = IDLE, edit = (text) => text, scheme = "https" } = {}) {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "logs"));
  const [port, inner] = [await freePort(), await freePort()];
  const place = { folder, port, inner, hub: hub.options.port, idle, ...makeCertificate(folder) };
  for (const [file, replace] of Object.entries(proxy.replace)) {
    writeFileSync(join(folder, file), edit(replaceAll(read(`examples/proxies/${file}`), replace(place))));
  }
  for (const [file, text] of Object.entries(proxy.more?.(place) ?? {})) writeFileSync(join(folder, file), text);
  for (const [index, command] of proxy.commands(place).entries()) run(command, folder, index);
  const origin = `${scheme}://localhost:${port}`;
  const logs = () => readLogs(folder);
  await eventually(() => isHealthy(origin), START_MS, `${proxy.name} answers`).catch((error) => {
    throw new Error(`${error.message}; its logs: ${JSON.stringify(logs())}`);
  });
  return { origin, logs };
}

/**
 * Runs a command of a proxy until the end of the test or file. Its output is one of the logs.
 * @param {string[]} command
 * @param {string} folder
 * @param {number} index the number of the command
 */
function run(command, folder, index) {
  const [file, ...args] = command;
  const output = openSync(join(folder, `output-${index}.log`), "a");
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  // The workers of a proxy are in the group of its process. Those of nginx outlive a process that is killed.
  const child = spawn(file, args, { cwd: folder, env, stdio: ["ignore", output, output], detached: true });
  closeSync(output);
  child.on("error", () => {});
  const killGroup = () => child.pid && killHard(-child.pid);
  after(async () => {
    child.kill("SIGTERM");
    const patience = setTimeout(killGroup, 3_000);
    if (child.pid && child.exitCode === null && child.signalCode === null) await once(child, "exit");
    clearTimeout(patience);
  });
  atExit(killGroup);
}

/** Returns the texts of all logs, and of all that the processes of a proxy have printed, by file. */
function readLogs(folder) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".log"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

async function isHealthy(origin) {
  try {
    const response = await fetch(`${origin}/healthz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
