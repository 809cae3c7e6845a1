// spoolway/sdk/http/node-http: node:http without what an import of it costs. An import reads every export, also WebSocket, and for that one Node loads all of fetch: 50 ms of
// processor time and 7 MB for a connector that only has a server.
export const { createServer, request, STATUS_CODES } = process.getBuiltinModule("node:http");
