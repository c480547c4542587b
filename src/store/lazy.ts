export { end } from "./close.ts";
export { toKvError, closedError } from "./failure.ts";
export { inTime } from "./guarded.ts";
export { lanesOf } from "../concurrency/lanes.ts";
export { mapAdapter } from "../clients/shared/map-adapter.ts";
export { operations } from "./operations.ts";
export { storageAdapter } from "../clients/storage/adapter.ts";
export { sweep } from "./sweep.ts";
export { watchRecords, watchStore } from "./watch/index.ts";
