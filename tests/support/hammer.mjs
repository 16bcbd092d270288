// Connections that send one request over and over, from a process of its own, so that the one that measures is not slowed
// down by them. Run by itself, this file is that process.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { atExit } from "./cleanup.mjs";

const file = fileURLToPath(import.meta.url);

/**
 * Opens so many connections to `port` of this machine and sends `text` on each, for `ms` milliseconds; in it, `%N` is the
 * number of the connection. The next request comes after the answer to the one before; with `reads` false, answers are not
 * read, and requests follow each other as fast as they are taken. Resolves when all is closed.
 */
export async function hammer(port, { text, connections, ms, reads = true }) {
  const child = fork(file, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const stop = () => child.kill("SIGKILL");
  after(stop);
  atExit(stop);
  child.send({ port, text, connections, ms, reads });
  await once(child, "exit");
}

/** One connection, opened anew where it ends. */
function client(attack, number) {
  const text = attack.text.replaceAll("%N", String(number));
  const socket = connect(attack.port, "127.0.0.1");
  const send = () => socket.writable && socket.write(text);
  socket.on("connect", send);
  if (attack.reads) socket.on("data", (data) => data.includes("HTTP/1.1 ") && send());
  else socket.pause().on("drain", send);
  socket.on("error", () => {});
  socket.on("close", () => setTimeout(() => client(attack, number), 50));
}

if (process.argv[1] === file) {
  const [attack] = await once(process, "message");
  // Who started it has been killed, and cannot stop it any more.
  process.on("disconnect", () => process.exit());
  setTimeout(() => process.exit(), attack.ms);
  for (let number = 0; number < attack.connections; number++) client(attack, number);
}
