import type { CommitWrite, SetOptions } from "../api.ts";
import type { Fields } from "./body.ts";
import type { Commits } from "./commits.ts";
import { changeEvents, entryEvents } from "./events.ts";
import {
  changesRequest,
  commitRequest,
  getRequest,
  listRequest,
  prefixRequest,
  setRequest,
  touchRequest,
  watchRequest,
} from "./requests.ts";
import type { EventOptions, Space } from "./space.ts";
import type { Grant } from "./tokens.ts";
import type { OperationCounter } from "./operation-counter.ts";

/** A space and its counts. */
export interface Room {
  readonly space: Space;
  readonly commits: Commits;
  readonly operations: OperationCounter;
  readonly events: EventOptions;
}

/** A checked request: how many operations it counts as, and its work. */
export interface Prepared {
  readonly count: number;
  /** Resolves to the JSON of the response, or a stream of events. */
  run(): Promise<unknown>;
}

/** One of the things that a server does. */
export interface Operation {
  readonly isWrite: boolean;
  /** @throws {KvError} for a request that cannot be carried out. */
  prepare(fields: Fields, room: Room, grant: Grant): Prepared;
}

/** Makes writes that no limit counts. Those with the same options are made together. */
async function setAll({ data }: Space, writes: readonly CommitWrite[]): Promise<void> {
  // Of two writes of a key the later counts.
  const groups = new Map<string, { options: SetOptions; entries: [string, unknown][] }>();
  for (const { key, value, ...options } of new Map(
    writes.map((write) => [write.key, write]),
  ).values()) {
    const name = JSON.stringify([options.expires, options.metadata]);
    const group = groups.get(name) ?? { options, entries: [] };
    groups.set(name, group);
    group.entries.push([key, value]);
  }
  for (const { options, entries } of groups.values()) {
    if (entries.length === 1) await data.set(entries[0]![0], entries[0]![1], options);
    else await data.setMany(entries, options);
  }
}

/** Everything that a server does, by its name in the path. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  [
    "get",
    {
      isWrite: false,
      prepare(fields, { space }) {
        const { keys, values } = getRequest(fields);
        return {
          count: keys.length,
          run: async () => ({ entries: await space.get(keys, values) }),
        };
      },
    },
  ],
  [
    "list",
    {
      isWrite: false,
      prepare(fields, { space, operations }, { limits }) {
        const query = listRequest(fields);
        return {
          count: 1,
          async run() {
            const page = await space.page(query);
            // How many there are is known by now: they count, and are not taken back.
            if (limits.operationsPerMonth < Infinity)
              await operations.count(Math.max(0, page.entries.length - 1), Number.MAX_SAFE_INTEGER);
            return page;
          },
        };
      },
    },
  ],
  [
    "set",
    {
      isWrite: true,
      prepare(fields, { space, commits }, { limits }) {
        const writes = setRequest(fields, limits.valueBytes);
        return {
          count: writes.length,
          async run() {
            if (commits.isMetered)
              await commits.commit({ checks: [], writes, id: null }, limits.storageBytes);
            else await setAll(space, writes);
            return {};
          },
        };
      },
    },
  ],
  [
    "commit",
    {
      isWrite: true,
      prepare(fields, { commits }, { limits }) {
        const request = commitRequest(fields, limits.valueBytes);
        return {
          count: request.checks.length + request.writes.length,
          run: () => commits.commit(request, limits.storageBytes),
        };
      },
    },
  ],
  [
    "touch",
    {
      isWrite: true,
      prepare(fields, { commits }) {
        const { key, expires } = touchRequest(fields);
        return {
          count: 1,
          run: async () => ({ found: await commits.touch(key, expires) }),
        };
      },
    },
  ],
  [
    "clear",
    {
      isWrite: true,
      prepare(fields, { commits }) {
        const prefix = prefixRequest(fields);
        return {
          count: 1,
          run: () => commits.clear(prefix).then(() => ({})),
        };
      },
    },
  ],
  [
    "prune",
    {
      isWrite: true,
      prepare(fields, { space }) {
        const prefix = prefixRequest(fields);
        return {
          count: 1,
          run: async () => ({ removed: await space.data.prefix(prefix).prune() }),
        };
      },
    },
  ],
  [
    "watch",
    {
      isWrite: false,
      prepare(fields, { space, events }, grant) {
        const keys = watchRequest(fields);
        return {
          count: keys.length,
          run: async () => entryEvents(space, keys, events, grant.stream()),
        };
      },
    },
  ],
  [
    "changes",
    {
      isWrite: false,
      prepare(fields, { space, events }, grant) {
        const prefixes = changesRequest(fields);
        return {
          count: prefixes.length,
          run: async () => changeEvents(space, prefixes, events, grant.stream()),
        };
      },
    },
  ],
]);
