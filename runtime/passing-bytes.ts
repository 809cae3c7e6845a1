// The pieces of a large file that only passes through are garbage outside of V8's heap, which it counts late: 100 MB make a process grow by 60 MB. So the young garbage is
// collected every few MB, which takes about a millisecond each time; the same 100 MB then make it grow by 20 MB.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options: { type: "minor" }) => void;

const everyBytes = 2 << 20;
let collect: Collect | undefined;
let passedBytes = 0;

/** To be told of each piece. */
export function passed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < everyBytes) return;
  passedBytes = 0;
  collect ??= exposedCollect();
  collect({ type: "minor" });
}

/** Node has it behind a flag, which a new context looks at. */
function exposedCollect(): Collect {
  setFlagsFromString("--expose-gc");
  try {
    return runInNewContext("gc") as Collect;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
