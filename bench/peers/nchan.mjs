// A peer for the benchmark: a private instance of nginx with its pub/sub module nchan, as Debian packages them.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "../../tests/support/cleanup.mjs";
import { eventually } from "../../tests/support/wait.mjs";

const MODULE = "ngx_nchan_module.so";

// Debian installs nginx in /usr/sbin, which may not be in the PATH of a normal user.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

/** Returns how nginx was built, or undefined if it is not installed. nginx prints that to stderr. */
function buildInfo() {
  const { status, stderr } = spawnSync("nginx", ["-V"], { env, encoding: "utf8" });
  return status === 0 ? stderr : undefined;
}

function modulePath(built) {
  return join(built?.match(/--modules-path=(\S+)/)?.[1] ?? "", MODULE);
}

/** Returns why nchan cannot be started on this machine, or undefined if it can. */
export function nchanIsMissing() {
  const built = buildInfo();
  if (built && existsSync(modulePath(built))) return undefined;
  const problem = built ? "nginx has no nchan" : "nginx is not installed";
  return `${problem} (Debian: apt-get install nginx libnginx-mod-nchan)`;
}

// bench/README.md says which settings were tried. The differences from nchan's defaults are:
// - A channel buffers 1,000 messages instead of 10. The manual of nchan warns that messages are lost if publishing is
//   fast and the buffer is short. The shared memory is large enough for this buffer.
// - Bodies are not written to the disk.
// - Idle streams get heartbeats, as with every peer.
function config(port, module, workers) {
  return `load_module "${module}";
daemon off;
worker_processes ${workers};
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

/** Returns the pid of nginx's first worker process, or undefined if none runs. */
function workerOf(master) {
  try {
    return Number(readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, "utf8").split(" ")[0]) || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts nchan with `workers` worker processes on a port of 127.0.0.1, and waits until it answers. Returns:
 * - the pid of the worker process, or of its parent if there are several
 * - the versions of nginx and nchan
 * - `stop()`, which resolves when the processes have ended
 *
 * nchan refuses a subscriber that does not send `Accept: text/event-stream`.
 */
export async function startNchan(port, workers) {
  const missing = nchanIsMissing();
  if (missing) throw new Error(missing);
  const built = buildInfo();
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-nchan-"));
  // If root starts nginx, its worker runs as "nobody" and needs access to the folders for bodies in here.
  chmodSync(folder, 0o711);
  const path = join(folder, "nginx.conf");
  const log = join(folder, "error.log");
  writeFileSync(path, config(port, modulePath(built), workers));
  const master = spawn("nginx", ["-p", folder, "-c", path, "-e", log], { env, stdio: "ignore" });
  const closed = once(master, "close");
  const hasEnded = () => master.exitCode !== null || master.signalCode !== null;
  // The master process ends its worker within a second, if necessary by force. Neither waits for open streams.
  const end = () => {
    master.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  };
  const cancelEnd = atExit(end);
  const stop = async () => {
    end();
    await closed;
    cancelEnd();
  };
  const ask = (path) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (answer) => answer.text(),
      () => undefined,
    );
  // If this nginx has no worker process, another program answers on the port.
  const hasStarted = async () => workerOf(master) !== undefined && (await ask("/healthz")) === "ok";
  try {
    await eventually(async () => hasEnded() || (await hasStarted()), 10_000, "nginx starts");
    if (hasEnded()) throw new Error("nginx ended");
    const nginx = built?.match(/nginx version: nginx\/(\S+)/)?.[1] ?? "unknown";
    const versions = { nginx, nchan: (await ask("/version")) ?? "unknown" };
    return { pid: workers === 1 ? workerOf(master) : master.pid, versions, stop };
  } catch (error) {
    const output = existsSync(log) ? readFileSync(log, "utf8") : "";
    await stop();
    throw new Error(`nchan could not be started: ${error.message}\n${output}`);
  }
}
