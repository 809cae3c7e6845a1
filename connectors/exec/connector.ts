// Any program as a connector: it writes events and answers as lines of JSON to its stdout and reads messages from its stdin.
//
//   starting ──first line, {"ready"} or 500 ms──▶ running ──it exits, closes its stdout, or is to end──▶ over: what waits for an answer gets its fate
import { createReadStream } from "node:fs";
