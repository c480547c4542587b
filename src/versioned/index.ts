export type { UsingDisposable } from "../types.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export type { Key, KeyPart } from "./key.ts";
export type * from "./types.ts";
export { versioned, type VersionedOptions, type VersionedStore } from "./versioned.ts";
