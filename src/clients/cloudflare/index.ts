import { KvError } from "../../errors.ts";
import { CLOUDFLARE } from "../manifests.ts";
import { kvNameOf, WorkersKeys, type WorkersKv } from "./keys.ts";
import { ABREAST, headOf, inParts, statusOf, workersError, expirationOption } from "./values.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Adapter, Page, PageQuery } from "../adapter.ts";
import { utf8Length } from "../../record/utf8.ts";
import { versionOf } from "../../record/version.ts";
import { hasMethods } from "../../platform/shape.ts";

export type { WorkersKey, WorkersKv, WorkersList } from "./keys.ts";

const BULK = 100;
const LONGEST_VALUE = 25 * 1024 * 1024;
// A page of values ends early when it holds so many characters: a worker has 128 MB.
const PAGE_LENGTH = 8_000_000;

/**
 * Keeps records in a Workers KV namespace (`env.MY_KV`), as texts. A missing key is `null`.
 * Deadlines are exact, also below the minute that Workers KV itself takes at least: its own
 * deadline is the record's, rounded up. Each key's metadata carries version and deadline, so that
 * `keys()` reads no values.
 *
 * Workers KV is eventually consistent: other places may read the old value for a minute or longer,
 * and a key takes one write a second (KV_RATE_LIMITED past that). It compares nothing while it
 * writes, so `supports.atomic` is `"no"` and `commit()` is KV_NOT_SUPPORTED; of two writers at
 * once, also with `touch()`, the last one wins.
 *
 * Iterating costs one call for every 1,000 keys and one for every 100 values. `list()` goes on from
 * where it stopped; in another worker, and backwards, it first comes past the keys before. Keys
 * that this library did not write are left alone.
 *
 * @throws {KvError} KV_TOO_LARGE for a value beyond 25 MiB: the old value is still there.
 * @example
 * ```js workerd
 * import kv from "anykv";
 *
 * export default {
 *   async fetch(request, env) {
 *     const store = kv(env.KV);
 *     await store.set("key1", "Hello world", { expires: "1h" });
 *     return new Response(await store.get("key1")); // "Hello world"
 *   },
 * };
 * ```
 */
export const cloudflare: ClientFactory<WorkersKv, Record<never, never>> = defineClient({
  ...CLOUDFLARE,
  open(client: WorkersKv): Adapter {
    const places = new WorkersKeys(client);

    const put = (key: string, record: KvRecord): Promise<void> => putRecord(client, key, record);
    const bulk = (names: readonly string[]): Promise<unknown[]> => bulkOf(client, names);
    const write = (key: string, record: KvRecord | null): Promise<void> =>
      record === null ? client.delete(kvNameOf(key)) : put(key, record);

    async function getMany(keys: readonly string[]): Promise<(KvRecord | null)[]> {
      const texts = await inParts(keys.map(kvNameOf), BULK, bulk);
      return texts.map((text, i) => recordIn(text, keys[i]!));
    }
    async function page(query: PageQuery): Promise<Page> {
      const { keys, isLast } = await places.page(query);
      const next = isLast ? null : (keys.at(-1)?.name ?? null);
      const ours = keys
        .map((key): [string, KvRecord | null] => [key.name, headOf(key)])
        .filter((pair): pair is [string, KvRecord] => pair[1] !== null);
      if (!query.values) return { entries: ours, next };
      const entries: [string, KvRecord][] = [];
      let length = 0;
      for (let i = 0; i < ours.length; i += BULK * ABREAST) {
        const names = ours.slice(i, i + BULK * ABREAST).map(([key]) => key);
        for (const [j, text] of (await inParts(names.map(kvNameOf), BULK, bulk)).entries()) {
          const record = typeof text === "string" ? decodeRecord(text, names[j]!) : null;
          if (record !== null) entries.push([names[j]!, record]);
          length += typeof text === "string" ? text.length : 0;
        }
        if (length > PAGE_LENGTH && i + names.length < ours.length)
          return { entries, next: names.at(-1)! };
      }
      return { entries, next };
    }

    return {
      get: async (key) => recordIn(await client.get(kvNameOf(key)), key),
      getMany,
      set: put,
      del: (key) => client.delete(kvNameOf(key)),
      setMany: async (writes) =>
        void (await inParts(writes, BULK, (part) =>
          Promise.all(part.map(({ key, record }) => write(key, record))),
        )),
      page,
    };
  },
});

async function putRecord(client: WorkersKv, key: string, record: KvRecord): Promise<void> {
  const text = encodeRecord(record);
  if (text.length * 3 > LONGEST_VALUE && utf8Length(text) > LONGEST_VALUE)
    throw new KvError("KV_TOO_LARGE", "the record has more than 25 MiB: Workers KV takes no more", {
      key,
    });
  const metadata = {
    v: versionOf(record),
    ...(record.expires !== null && { e: record.expires }),
  };
  await client
    .put(kvNameOf(key), text, { metadata, ...expirationOption(record) })
    .catch((error: unknown) => {
      throw workersError(error, key);
    });
}

/** The texts under up to 100 names. */
async function bulkOf(client: WorkersKv, names: readonly string[]): Promise<unknown[]> {
  if (names.length === 1) return [await client.get(names[0]!)];
  try {
    const found = (await client.get([...names])) as Map<string, unknown> | null;
    // Some versions know no bulk; some leave names such as "1" out of their answers.
    return await Promise.all(
      names.map((name) =>
        hasMethods(found, "has") && found!.has(name) ? found!.get(name) : client.get(name),
      ),
    );
  } catch (error) {
    // All values together have a limit, which single ones cannot reach.
    if (statusOf(error) !== "413") throw error;
    const middle = names.length >> 1;
    return [
      ...(await bulkOf(client, names.slice(0, middle))),
      ...(await bulkOf(client, names.slice(middle))),
    ];
  }
}
