// A peer for the benchmark: a hub as a good JavaScript developer would write it without a library. The Worker routes,
// and one Durable Object per channel enqueues the same chunk to every stream. The streams' own queues are the buffers.
import { DurableObject } from "cloudflare:workers";

// How many chunks may wait in the queue of a stream. A stream loses the chunks that arrive while its queue is full.
const BUFFER_EVENTS = 256;
const HEARTBEAT_MS = 15_000;
const ROUTE = /^\/channels\/([\w.~:@-]{1,128})(\/broadcast)?$/;
const CORS = { "Access-Control-Allow-Origin": "*" };
const STREAM_HEADERS = {
  ...CORS,
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};
const encoder = new TextEncoder();
const heartbeat = encoder.encode(":\n\n");

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") return new Response("ok");
    const [path, id, broadcast] = ROUTE.exec(pathname) ?? [];
    if (!path || request.method !== (broadcast ? "POST" : "GET")) return new Response("Not found", { status: 404 });
    return env.CHANNEL.getByName(id).fetch(request);
  },
};

export class Channel extends DurableObject {
  streams = new Set();
  epoch = Date.now();
  seq = 0;
  timer;

  fetch(request) {
    return request.method === "POST" ? this.publish(request) : this.subscribe();
  }

  subscribe() {
    let controller;
    const source = {
      start: (given) => {
        controller = given;
        controller.enqueue(encoder.encode(`retry: 3000\nid: ${this.epoch}-${this.seq}\n\n`));
        this.streams.add(controller);
      },
      cancel: () => this.leave(controller),
    };
    const body = new ReadableStream(source, { highWaterMark: BUFFER_EVENTS });
    // Only a write detects that a client has disconnected.
    this.timer ??= setInterval(() => this.send(heartbeat), HEARTBEAT_MS);
    return new Response(body, { headers: STREAM_HEADERS });
  }

  leave(controller) {
    this.streams.delete(controller);
    if (this.streams.size > 0) return;
    // A timer would keep the object awake, and the platform would bill for that.
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Sends the body as one event, or as several events if the body is an event stream. */
  async publish(request) {
    const isBatch = request.headers.get("Content-Type")?.startsWith("text/event-stream");
    let body = await request.text();
    if (body.includes("\r")) body = body.replace(/\r\n?/g, "\n");
    const events = isBatch ? body.split(/\n{2,}|\n$/).filter(Boolean) : [`data: ${body.replaceAll("\n", "\ndata: ")}`];
    let wire = "";
    for (const event of events) wire += `id: ${this.epoch}-${++this.seq}\n${event}\n\n`;
    const missed = this.send(encoder.encode(wire));
    const receipt = {
      id: `${this.epoch}-${this.seq}`,
      events: events.length,
      subscribers: this.streams.size,
      dropped: missed * events.length,
    };
    return Response.json(receipt, { headers: CORS });
  }

  /** Enqueues `chunk` to every stream whose queue has room. Returns how many queues were full. */
  send(chunk) {
    let full = 0;
    for (const controller of this.streams) {
      if (controller.desiredSize > 0) controller.enqueue(chunk);
      else full += 1;
    }
    return full;
  }
}
