export { atomic, type Transaction } from "./transaction.ts";
export {
  increment,
  type IncrementOptions,
  remove,
  replace,
  setIfAbsent,
  take,
  update,
} from "./update.ts";
