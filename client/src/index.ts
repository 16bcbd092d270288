// The client of sse-broadcaster. docs/client.md explains how to use it.
export type * from "./api.ts";
export { connect } from "./connect.ts";
export { HubError } from "./problem.ts";
