export { atomic, type Transaction } from "./transaction.ts";
export { increment, type IncrementOptions, replace, setIfAbsent, take, update } from "./update.ts";
