// The hub's Worker, with objects that note when the runtime constructs and calls them. An object that is constructed
// again has slept. `GET /bench/notes` returns the notes without calling an object, because a call would wake it.
import worker, { Channel as HubChannel } from "../../src/entry.mjs";

/** The notes of all objects, which share the isolate of the Worker. Times are milliseconds since 1970. */
const notes = [];

export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname === "/bench/notes") return Response.json(notes);
    return worker.fetch(request, env, context);
  },
};

const isStream = (response) => response.headers.get("Content-Type")?.startsWith("text/event-stream") ?? false;

export class Channel extends HubChannel {
  constructor(state, env) {
    super(state, env);
    this.object = String(state.id);
    this.note("constructed");
  }

  /** Notes an event that begins now. Returns the note. */
  note(event) {
    const now = Date.now();
    const note = { object: this.object, event, from: now, to: now };
    notes.push(note);
    return note;
  }

  async fetch(request) {
    const note = this.note("request");
    const response = await super.fetch(request);
    note.to = Date.now();
    // The runtime keeps the object awake until the stream ends.
    if (isStream(response)) note.event = "stream";
    return response;
  }

  async alarm() {
    const note = this.note("alarm");
    await super.alarm();
    note.to = Date.now();
  }

  webSocketMessage(socket, message) {
    this.note("message");
    super.webSocketMessage(socket, message);
  }

  webSocketClose(socket) {
    this.note("close");
    super.webSocketClose(socket);
  }

  webSocketError(socket) {
    this.note("error");
    super.webSocketError(socket);
  }
}
