export { end } from "./ending.ts";
export { lanesOf } from "./lanes.ts";
export { operations } from "./operations.ts";
export { within } from "./patience.ts";
export { sweep } from "./sweep.ts";
