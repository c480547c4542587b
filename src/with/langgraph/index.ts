export { langgraphStore } from "./base-store.ts";
export { langgraphCheckpointer, type LanggraphOptions } from "./checkpointer.ts";
