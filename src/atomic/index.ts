export { hit, type Hit, type HitOptions } from "./hit.ts";
export { increment, type IncrementOptions } from "./increment.ts";
export { atomic, type Transaction } from "./transaction.ts";
export { remove, replace, setIfAbsent, take, update } from "./update.ts";
