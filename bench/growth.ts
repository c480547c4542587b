// How costs grow with the number of records: `npm run bench -- growth`, with `--large` up to a
// million. Fails where they grow faster than promised.
import process from "node:process";
import kv, { type EntryPage, type Json, type Store } from "anykv";
import { SUBJECTS, type Subject, type SubjectName } from "./growth-clients.ts";

/** The largest exponent of each promise: twice the records cost `2 ** exponent` times as much. */
const LIMITS = { linear: 1.15, logarithmic: 0.3 } as const;

/** Exponents of shorter times are those of the timer and the machine, in milliseconds. */
const SHORT = 0.3;

const VALUE = { name: "Ann", age: 41 };

const keyOf = (i: number): string => `k${String(i).padStart(8, "0")}`;

/** One row of the table. */
interface Row {
  readonly what: string;
  readonly clients: readonly SubjectName[];
  readonly promise: keyof typeof LIMITS;
  /** Beyond this many records the row is left out. */
  readonly most?: number;
  readonly rounds: number;
  before?(store: Store, size: number): Promise<unknown>;
  work(subject: Subject, size: number): Promise<unknown>;
}

async function walk(store: Store, ordered: boolean): Promise<void> {
  for (let cursor: string | null = null; ;) {
    const page: EntryPage = await store.list<Json>({ cursor, limit: 100, ordered });
    cursor = page.cursor;
    if (cursor === null) return;
  }
}

const cursors = new WeakMap<Store, string>();

/** A page in the middle. The cursor is that of a page that ends there. */
async function deep(store: Store, size: number): Promise<EntryPage> {
  const cursor = cursors.get(store) ?? (await store.list({ limit: size / 2 })).cursor!;
  cursors.set(store, cursor);
  return store.list({ cursor });
}

async function expireSome(store: Store, size: number): Promise<void> {
  const expired = Array.from({ length: size / 100 }, (_, i) => `e${keyOf(i)}`);
  await store.setMany(
    expired.map((key) => [key, VALUE]),
    { expires: 0.001 },
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
}

const ROWS: readonly Row[] = [
  {
    what: "list({ limit: 100 }) deep",
    clients: ["memory", "lru", "Redis, ordered", "folder", "SQLite", "Level", "Postgres", "etcd"],
    promise: "logarithmic",
    rounds: 15,
    work: ({ store }, size) => deep(store, size),
  },
  {
    what: "list({ limit: 100 }) deep",
    clients: ["Web Storage", "Redis"],
    promise: "linear",
    rounds: 3,
    work: ({ store }, size) => deep(store, size),
  },
  {
    what: "list({ ordered: false })",
    clients: ["Redis"],
    promise: "logarithmic",
    rounds: 15,
    work: ({ store }) => store.list({ ordered: false }),
  },
  {
    what: "walk by pages of 100",
    clients: ["memory", "Redis, ordered", "SQLite"],
    promise: "linear",
    rounds: 2,
    work: ({ store }) => walk(store, true),
  },
  {
    what: "walk by pages, any order",
    clients: ["Redis"],
    promise: "linear",
    rounds: 2,
    work: ({ store }) => walk(store, false),
  },
  {
    what: "keys of a prefix of 100",
    clients: ["memory", "lru", "Redis, ordered", "SQLite", "Level", "Postgres"],
    promise: "logarithmic",
    rounds: 15,
    work: ({ store }) => store.prefix("k000005").keys(),
  },
  {
    what: "keys()",
    clients: ["SQLite", "Level", "Postgres", "Redis", "Redis, ordered"],
    promise: "linear",
    rounds: 3,
    work: ({ store }) => store.keys(),
  },
  {
    what: "prune() of 1 %",
    clients: ["SQLite", "Level", "etcd", "folder", "Redis"],
    promise: "linear",
    rounds: 3,
    before: expireSome,
    work: ({ store }) => store.prune(),
  },
  {
    what: "set",
    clients: ["memory", "SQLite", "Level", "Redis", "Redis, ordered", "Postgres"],
    promise: "logarithmic",
    rounds: 30,
    work: ({ store }) => store.set(keyOf(7), VALUE),
  },
  {
    what: "one set in the file",
    clients: ["file"],
    promise: "linear",
    most: 100_000,
    rounds: 3,
    work: ({ store }) => store.set(keyOf(7), VALUE),
  },
];

/** The slope of the line through the logarithms: the exponent of the growth. */
function exponentOf(points: readonly (readonly [size: number, ms: number])[]): number {
  const logs = points.map(([size, ms]) => [Math.log(size), Math.log(ms)] as const);
  const mean = (i: 0 | 1): number => logs.reduce((sum, each) => sum + each[i], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const over = logs.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return over / logs.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}

async function fill(store: Store, size: number): Promise<void> {
  for (let i = 0; i < size; i += 10_000)
    await store.setMany(
      Array.from({ length: Math.min(10_000, size - i) }, (_, j) => [keyOf(i + j), VALUE]),
    );
}

async function timeOf(row: Row, subject: Subject, size: number): Promise<number> {
  const times: number[] = [];
  for (let round = -1; round < row.rounds; round++) {
    await row.before?.(subject.store, size);
    const start = performance.now();
    await row.work(subject, size);
    if (round >= 0) times.push(performance.now() - start);
  }
  // Other programs only make it slower.
  return Math.min(...times);
}

type Times = Map<Row, [size: number, ms: number][]>;

/** Measures the rows of one client with one number of records. */
async function measure(name: SubjectName, size: number, times: Times): Promise<string[]> {
  const subject = await SUBJECTS[name]();
  const notes: string[] = [];
  try {
    await fill(subject.store, size);
    // Whatever is made once, such as an index.
    await new Promise((resolve) => setTimeout(resolve, subject.settling ?? 0));
    if (name === "Redis, ordered") while (!(await isFast(subject.store)));
    for (const row of ROWS.filter(({ clients }) => clients.includes(name))) {
      if (size > (row.most ?? Infinity)) continue;
      const found = times.get(row) ?? [];
      times.set(row, [...found, [size, await timeOf(row, subject, size)]]);
    }
    for (const [what, mine, raw] of [
      ["keys()", () => subject.store.keys(), subject.rawKeys],
      ["list(100)", () => subject.store.list(), subject.rawPage],
    ] as const) {
      if (raw === undefined) continue;
      const row = { rounds: what === "keys()" ? 3 : 15 } as Row;
      const own = await timeOf({ ...row, work: mine }, subject, size);
      const theirs = await timeOf({ ...row, work: raw }, subject, size);
      notes.push(`${name}: ${what} ${(own / theirs).toFixed(1)} × of the raw statement`);
    }
  } finally {
    await subject.close();
  }
  return notes;
}

/** Whether a page costs a page by now. */
async function isFast(store: Store): Promise<boolean> {
  const start = performance.now();
  await store.list({ limit: 1 });
  return performance.now() - start < 20;
}

/** How many times the memory of a bare Map a store in memory needs. */
async function memoryRatio(size: number): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  const used = async (make: () => Promise<unknown>): Promise<number> => {
    gc?.();
    const before = process.memoryUsage().heapUsed;
    const kept = await make();
    gc?.();
    const bytes = process.memoryUsage().heapUsed - before;
    return kept === null ? 0 : bytes;
  };
  const bare = await used(async () => {
    const map = new Map<string, unknown>();
    for (let i = 0; i < size; i++)
      map.set(keyOf(i), { value: { ...VALUE }, expires: null, version: i, metadata: null });
    return map;
  });
  const own = await used(async () => {
    const store = kv(new Map());
    for (let i = 0; i < size; i++) await store.set(keyOf(i), VALUE);
    await store.list({ limit: 1 });
    return store;
  });
  return own / bare;
}

function report(times: Map<SubjectName, Times>): boolean {
  let isGood = true;
  for (const row of ROWS) {
    for (const name of row.clients) {
      const points = times.get(name)?.get(row) ?? [];
      if (points.length < 2) continue;
      // A few records fit in the caches of the processor. Real growth shows at the end too.
      const exponent = Math.min(exponentOf(points), exponentOf(points.slice(-2)));
      const isMet = exponent <= LIMITS[row.promise] || points.at(-1)![1] < SHORT;
      isGood &&= isMet;
      const columns = points.map(([, ms]) => ms.toFixed(ms < 10 ? 2 : 0).padStart(10)).join("");
      console.log(
        `${isMet ? "ok  " : "MISS"}  ${row.what.padEnd(26)} ${name.padEnd(15)} ${columns}   ` +
          `n^${exponent.toFixed(2).padEnd(6)} ${row.promise}`,
      );
    }
  }
  return isGood;
}

/** Prints the table, and sets the exit code where a cost grows too fast. */
export async function growth(): Promise<void> {
  const isLarge = process.argv.includes("--large");
  const sizes = [1000, 10_000, 100_000, ...(isLarge ? [1_000_000] : [])];
  const times = new Map<SubjectName, Times>();
  const notes: string[] = [];
  for (const name of Object.keys(SUBJECTS) as SubjectName[]) {
    const own: Times = new Map();
    times.set(name, own);
    for (const size of sizes) {
      if (size > (MOST[name] ?? Infinity)) continue;
      const found = await measure(name, size, own);
      if (size === 100_000 || size === sizes.at(-1)) notes.push(...found);
    }
  }
  const shown = sizes.map((size) => size.toLocaleString("en").padStart(10)).join("");
  console.log(`      milliseconds${" ".repeat(31)}${shown}   growth`);
  const isGood = report(times);
  for (const note of notes) console.log(`      ${note}`);
  const ratio = await memoryRatio(100_000);
  const isSmall = ratio <= 1.3;
  console.log(
    `${isSmall ? "ok  " : "MISS"}  memory per record, against a bare Map of the same records ` +
      `${ratio.toFixed(2)} ×   at most 1.3`,
  );
  if (!isGood || !isSmall) process.exitCode = 1;
}

/** The most records that a client gets: filling it with more takes minutes. */
const MOST: { readonly [name in SubjectName]?: number } = {
  "Web Storage": 100_000,
  Redis: 100_000,
  folder: 10_000,
  etcd: 100_000,
  file: 100_000,
};
