// Types of worker-build's output. The output itself is minified and does not exist before the first build, so it is not
// type-checked.

/** The part of worker-build's shim that src/hub.mjs uses. */
declare module "*/build/index.js" {
  export class Channel {
    constructor(state: DurableObjectState, env: unknown);
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<Response>;
    webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void;
    webSocketClose(socket: WebSocket): void;
    webSocketError(socket: WebSocket): void;
  }

  export default class Hub {
    constructor(context: ExecutionContext, env: unknown);
    fetch(this: { env: unknown; ctx: Pick<ExecutionContext, "waitUntil"> }, request: Request): Promise<Response>;
    fetchForOwnCode(request: Request, env: unknown, context: Pick<ExecutionContext, "waitUntil">): Promise<Response>;
    unavailable(request: Request, env: unknown): Promise<Response>;
    settingsError(env: unknown): Promise<string | undefined>;
    shutDown(env: unknown): Promise<void>;
  }
}

/** State that worker-build's shim, src/hub.mjs and src/isolate/instance.js share. */
declare var __worker_init_state: {
  instanceId: number;
  criticalError: boolean;
  onLost?: () => void;
};

/** The streams that the Worker holds in this isolate; see src/http/held/client_stream.js. */
declare var __sseBroadcasterHeldStreams: Set<{ interrupt(): void }> | undefined;
