export { end } from "./ending.ts";
export { blame, closedError } from "./failure.ts";
export { inTime } from "./guard.ts";
export { lanesOf } from "./lanes.ts";
export { mapAdapter } from "./map-adapter.ts";
export { operations } from "./operations.ts";
export { storageAdapter } from "./storage-adapter.ts";
export { sweep } from "./sweep.ts";
