export { createKVStore, kv } from "./create.ts";
export type {
  KVEvent,
  KVFn,
  KVOperation,
  KVSeed,
  KVState,
  KVStatus,
  KVStore,
  KVStoreOptions,
  Storable,
  SubscribeOptions,
} from "./types.ts";
