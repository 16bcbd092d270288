// A peer for the benchmark: nginx with its pub/sub module nchan, as Debian packages them, in a private instance.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "../../tests/support/cleanup.mjs";
import { eventually } from "../../tests/support/wait.mjs";

const MODULE = "ngx_nchan_module.so";

// Where Debian has nginx; the PATH of a normal user may lack it.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

/** nginx's own words on how it was built, or undefined where there is none. They are all on stderr. */
function builtAs() {
  const { status, stderr } = spawnSync("nginx", ["-V"], { env, encoding: "utf8" });
  return status === 0 ? stderr : undefined;
}

function modulePath(built) {
  return join(built?.match(/--modules-path=(\S+)/)?.[1] ?? "", MODULE);
}

/** Why nchan cannot be started on this machine, or undefined where it can. */
export function nchanIsMissing() {
  const built = builtAs();
  if (built && existsSync(modulePath(built))) return undefined;
  const what = built ? "nginx has no nchan" : "nginx is not installed";
  return `${what} (Debian: apt-get install nginx libnginx-mod-nchan)`;
}

// One worker, as every peer here is one process. nchan's defaults stand but for these: a channel's buffer holds 1000
// messages instead of 10, because its manual warns that messages are missed where publishing is fast and the buffer
// short; the memory for that is enough; bodies are kept off the disk; idle streams get heartbeats, as from every peer.
function config(port, module) {
  return `load_module "${module}";
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log error.log warn;
events {
  worker_connections 16000;
}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_body_buffer_size 2m;
  client_max_body_size 2m;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  tcp_nodelay on;
  nchan_shared_memory_size 512m;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /healthz {
      return 200 ok;
    }
    location = /version {
      return 200 $nchan_version;
    }
    location ~ ^/channels/([\\w.~:@-]+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
      nchan_eventsource_ping_comment ping;
    }
    location ~ ^/channels/([\\w.~:@-]+)/broadcast$ {
      nchan_publisher http;
      nchan_channel_id $1;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 1m;
    }
  }
}
`;
}

/** The pid of nginx's worker, or undefined where there is none yet, or no more. */
function workerOf(master) {
  try {
    return Number(readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "utf8").split(" ")[0]) || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts it on a port of 127.0.0.1. Resolves, once it answers, to the pid of the one worker, which does all the work,
 * the versions of nginx and nchan, and `stop()`, which resolves when its processes have ended. A subscriber has to send
 * `Accept: text/event-stream`: without, it is refused.
 */
export async function startNchan(port) {
  const missing = nchanIsMissing();
  if (missing) throw new Error(missing);
  const built = builtAs();
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-nchan-"));
  // Where root starts nginx, its worker has the rights of "nobody", and bodies may go to a folder in here.
  chmodSync(folder, 0o711);
  const path = join(folder, "nginx.conf");
  const log = join(folder, "error.log");
  writeFileSync(path, config(port, modulePath(built)));
  const master = spawn("nginx", ["-p", folder, "-c", path, "-e", log], { env, stdio: "ignore" });
  const closed = once(master, "close");
  const hasEnded = () => master.exitCode !== null || master.signalCode !== null;
  // The master ends its worker, within a second or by force. Neither waits for open streams.
  const end = () => {
    master.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = atExit(end);
  const stop = async () => {
    end();
    await closed;
    forget();
  };
  const ask = (path) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (answer) => answer.text(),
      () => undefined,
    );
  // Without its worker, somebody else has the port.
  const hasStarted = async () => workerOf(master) !== undefined && (await ask("/healthz")) === "ok";
  try {
    await eventually(async () => hasEnded() || (await hasStarted()), 10_000, "nginx starts");
    if (hasEnded()) throw new Error("nginx ended");
    const versions = { nginx: built.match(/nginx version: nginx\/(\S+)/)[1], nchan: await ask("/version") };
    return { pid: workerOf(master), versions, stop };
  } catch (error) {
    const words = existsSync(log) ? readFileSync(log, "utf8") : "";
    await stop();
    throw new Error(`nchan could not be started: ${error.message}\n${words}`);
  }
}
