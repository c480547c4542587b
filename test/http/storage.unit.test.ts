import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Store } from "../../src/api.ts";
import { http } from "../../src/clients/http/index.ts";
import type { KvError } from "../../src/errors.ts";
import { createHandler, spaceOf } from "../../src/http/index.ts";
import { type Sized, StorageSum } from "../../src/http/storage-sum.ts";
import kv from "../../src/index.ts";

const token = "0123456789abcdef";
const LIMIT = 10_000;

/** A client without an order that counts the records which listings take from it. */
class Counted {
  readonly data = new Map<string, unknown>();
  listed = 0;

  get(key: string): unknown {
    return this.data.get(key);
  }

  set(key: string, value: unknown): void {
    this.data.set(key, value);
  }

  del(key: string): void {
    this.data.delete(key);
  }

  *iterate(prefix: string): Generator<[string, unknown]> {
    for (const [key, value] of [...this.data]) {
      if (!key.startsWith(prefix)) continue;
      this.listed++;
      yield [key, value];
    }
  }
}

interface Server {
  readonly own: Store;
  readonly store: Store;
  readonly client: Counted;
}

function start(client = new Counted(), storageBytes = LIMIT): Server {
  const own = kv(client);
  const handler = createHandler(own, { tokens: [{ token, space: "a" }], limits: { storageBytes } });
  const store = kv(
    http("http://kv.test", { token, fetch: (url, init) => handler(new Request(url, init)) }),
  );
  return { own, store, client };
}

/** Waits until no sweep lists any more. */
async function untilRested({ client }: Server): Promise<void> {
  for (let seen = -1; seen !== client.listed;) {
    seen = client.listed;
    await setTimeout(50);
  }
}

const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    ({ code }: KvError) => code,
  );

/** Fills a space with values of one digit, of 6 bytes with their keys, up to the limit. */
async function fill({ store }: Server, options = {}): Promise<void> {
  const some = Array.from({ length: 1000 }, (_, i) => [`k${i + 1000}`, 1] as const);
  await store.setMany(some, options);
  await store.set("rest", "x".repeat(LIMIT - 6000 - 6), options);
}

describe("a full space", () => {
  it("refuses writes without a look at its entries", async () => {
    const server = start();
    await fill(server);
    const before = server.client.listed;
    for (let i = 0; i < 50; i++)
      expect(await outcome(server.store.set(`new${i}`, "x".repeat(100)))).toBe("KV_QUOTA");
    expect(server.client.listed - before).toBe(0);
    await server.store.set("rest", 1);
    await server.store.set("new", "x".repeat(100));
  });

  it("clears and prunes a prefix without a look at other entries", async () => {
    const server = start();
    await fill(server);
    await untilRested(server);
    const before = server.client.listed;
    await server.store.prefix("none:").clear();
    await server.store.prefix("none:").prune();
    expect(server.client.listed - before).toBe(0);
    await server.store.prefix("k199").clear();
    // The ten entries are listed to count them and to delete them.
    expect(server.client.listed - before).toBeLessThan(50);
    // Those are the bytes that are free now.
    expect(await outcome(server.store.set("new", "x".repeat(56)))).toBe("KV_QUOTA");
    expect(await outcome(server.store.set("new", "x".repeat(55)))).toBe("ok");
  });

  it("does not free the key that is the prefix itself", async () => {
    const { store } = start();
    await store.set("a:", "x".repeat(9000));
    await store.prefix("a:").clear();
    expect(await outcome(store.set("new", "x".repeat(2000)))).toBe("KV_QUOTA");
  });

  it("takes writes again once entries have expired, without a look at the others", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const server = start();
      await fill(server);
      await server.store.set("rest", "x".repeat(LIMIT - 6000 - 6), { expires: 10 });
      const before = server.client.listed;
      vi.advanceTimersByTime(9999);
      expect(await outcome(server.store.set("new", 1))).toBe("KV_QUOTA");
      vi.advanceTimersByTime(1);
      await server.store.set("new", "x".repeat(3900));
      expect(await outcome(server.store.set("more", "x".repeat(100)))).toBe("KV_QUOTA");
      expect(server.client.listed - before).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("follows the deadlines that touch() moves", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const { store } = start();
      await store.set("sooner", "x".repeat(4000));
      await store.set("later", "x".repeat(4000), { expires: 10 });
      expect(await store.touch("sooner", 10)).toBe(true);
      expect(await store.touch("later", 20)).toBe(true);
      expect(await store.touch("none", 20)).toBe(false);
      vi.advanceTimersByTime(10_000);
      await store.set("new", "x".repeat(5000));
      expect(await outcome(store.set("more", "x".repeat(2000)))).toBe("KV_QUOTA");
      vi.advanceTimersByTime(10_000);
      await store.set("more", "x".repeat(2000));
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a space that was written without its limit", () => {
  it("is counted again in the background, while it takes writes", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const server = start();
      await fill(server);
      await spaceOf(server.own, "a").del("rest");
      expect(await outcome(server.store.set("new", 1))).toBe("KV_QUOTA");
      vi.advanceTimersByTime(60_000);
      expect(await outcome(server.store.set("new", "x".repeat(1000)))).toBe("KV_QUOTA");
      // Each of these overwrites an entry while the count goes on.
      let writes = 0;
      await expect
        .poll(async () => {
          await server.store.set(`k${1000 + (writes++ % 1000)}`, 2);
          return outcome(server.store.set("new", "x".repeat(1000)));
        })
        .toBe("ok");
      // The count has missed nothing: what is free is free to the byte.
      const free = LIMIT - 6000 - "new".length - 1002 - "last".length - 2;
      expect(await outcome(server.store.set("last", "x".repeat(free + 1)))).toBe("KV_QUOTA");
      expect(await outcome(server.store.set("last", "x".repeat(free)))).toBe("ok");
    } finally {
      vi.useRealTimers();
    }
  });

  it("is counted again when a server starts", async () => {
    const { store, client, own } = start();
    await store.set("a", 1);
    await spaceOf(own, "a").set("more", "x".repeat(LIMIT));
    const again = start(client);
    await again.store.set("a", 2);
    let writes = 0;
    await expect.poll(() => outcome(again.store.set(`b${writes++}`, 1))).toBe("KV_QUOTA");
  });
});

describe("StorageSum", () => {
  const deadline = fc.option(fc.integer({ min: 1, max: 1000 }), { nil: null });
  const size = fc.integer({ min: 1, max: 100 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), bytes: size, expires: deadline }),
    fc.record({ do: fc.constant("remove" as const), index: fc.nat() }),
    fc.record({ do: fc.constant("advance" as const), by: fc.integer({ min: 1, max: 50 }) }),
  );

  it("counts no byte too few, and each byte once nothing expires", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        let now = 0;
        let sum = new StorageSum();
        let live: Sized[] = [];
        for (const each of steps) {
          if (each.do === "add") {
            const sized = { bytes: each.bytes, expires: each.expires && each.expires + now };
            sum.add(sized);
            live.push(sized);
          } else if (each.do === "advance") {
            now += each.by;
            sum.advance(now);
            live = live.filter(({ expires }) => expires === null || expires > now);
          } else if (live.length > 0) {
            sum.remove(live.splice(each.index % live.length, 1)[0]!);
          }
          // Stored and read again, as between two commits.
          sum = StorageSum.of(JSON.parse(JSON.stringify(sum)))!;
          const right = live.reduce((bytes, sized) => bytes + sized.bytes, 0);
          expect(sum.bytes).toBeGreaterThanOrEqual(right);
        }
        sum.advance(now + 1001);
        live = live.filter(({ expires }) => expires === null);
        expect(sum.bytes).toBe(live.reduce((bytes, sized) => bytes + sized.bytes, 0));
      }),
    );
  });

  it("gives everything back on time, up to 32 deadlines", () => {
    const sum = new StorageSum();
    for (let i = 1; i <= 32; i++) sum.add({ bytes: i, expires: i * 1000 });
    sum.remove({ bytes: 7, expires: 7000 });
    for (let i = 1, left = 33 * 16 - 7; i <= 32; i++) {
      sum.advance(i * 1000 - 1);
      expect(sum.bytes).toBe(left);
      sum.advance(i * 1000);
      left -= i === 7 ? 0 : i;
      expect(sum.bytes).toBe(left);
    }
  });

  it("knows no sum of another version", () => {
    expect([null, undefined, 12, {}, { bytes: 1 }].map((stored) => StorageSum.of(stored))).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
  });
});
