import { addValue } from "./add.ts";
import { clearStore, pruneStore } from "./clear.ts";
import { commitWrites } from "./commit.ts";
import type { Operations, StoreContext } from "./context.ts";
import { isKvError, KvError } from "../errors.ts";
import { failWith } from "./failure.ts";
import { getEntry, listPage } from "./list.ts";
import { iterateStore, listPairs, listKeys, listValues } from "./listings.ts";
import { deleteMany, getMany, setMany } from "./many.ts";
import { checkNoArguments } from "./no-arguments.ts";
import { getValue, hasValue } from "./read.ts";
import { touchKey } from "./touch.ts";
import { deleteValue, setValue } from "./write.ts";

/** `store.all()`. fromEntries makes own properties, also for a key such as "__proto__". */
const listAll = async (context: StoreContext, filter = ""): Promise<{ [key: string]: unknown }> =>
  Object.fromEntries(await listPairs(context, filter));

/** The operations of one store. */
export function operations(context: StoreContext): Operations {
  /** An operation on this store. Its errors name the client. */
  const use =
    <A extends unknown[], T>(
      name: string,
      work: (context: StoreContext, ...args: A) => Promise<T>,
    ): ((...args: A) => Promise<T>) =>
    (...args) =>
      work(context, ...args).catch((error) =>
        // Client failures are already KvErrors here; anything else was caused by a bad argument.
        failWith(
          context.connection,
          isKvError(error)
            ? error
            : new KvError(
                "KV_INVALID_VALUE",
                `the arguments of ${name}() cannot be used: see its documentation`,
                { cause: error },
              ),
          name,
        ),
      );

  /** An operation on the whole store, which takes no argument. */
  const useWhole = <T>(
    name: string,
    work: (context: StoreContext) => Promise<T>,
  ): ((...args: unknown[]) => Promise<T>) =>
    use(name, async (_, ...args) => {
      checkNoArguments(name, args);
      return work(context);
    });

  return {
    // These five name the client and the key in their errors themselves.
    get: (key) => getValue(context, key),
    set: (key, value, options) => setValue(context, key, value, options),
    has: (key) => hasValue(context, key),
    del: (key) => deleteValue(context, key),
    entry: (key) => getEntry(context, key),
    add: use("add", addValue),
    getMany: use("getMany", getMany),
    setMany: use("setMany", setMany),
    delMany: use("delMany", deleteMany),
    touch: use("touch", touchKey),
    list: use("list", listPage),
    commit: use("commit", commitWrites),
    all: use("all", listAll),
    keys: useWhole("keys", listKeys),
    values: useWhole("values", listValues),
    entries: useWhole("entries", (store) => listPairs(store, "")),
    clear: useWhole("clear", clearStore),
    prune: useWhole("prune", pruneStore),
    iterate: (...args) => iterateStore(context, args),
  };
}
