// A shop's Worker. It takes orders, and tells every page about them through the hub that is mounted in it.
import { type HubBindings, HubError, hub } from "sse-broadcaster/worker";

export { Channel } from "sse-broadcaster/worker";

type Env = HubBindings & { ASSETS: Fetcher };

/** Takes an order, and publishes it to all pages. */
async function takeOrder(request: Request, env: Env): Promise<Response> {
  const order = { id: crypto.randomUUID(), item: await request.text() };
  try {
    // If this is repeated with the same key, the event is published once.
    const receipt = await hub.publish(env, "orders", order, { type: "order", idempotencyKey: order.id });
    return Response.json({ order, receipt }, { status: 201 });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return Response.json({ error: error.detail }, { status: error.status });
  }
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/channels/")) return hub.fetch(request, env, context);
    if (pathname === "/orders" && request.method === "POST") return takeOrder(request, env);
    return env.ASSETS.fetch(request);
  },

  async scheduled(_controller, env) {
    const { subscribers } = await hub.stats(env, "orders");
    await hub.publish(env, "orders", { subscribers }, { type: "audience" });
  },
} satisfies ExportedHandler<Env>;
