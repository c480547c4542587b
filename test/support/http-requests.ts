/** A request to a server of `anykv/http`, as a fuzzer sends it. */
export interface FuzzedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Random choices that a seed repeats (mulberry32). */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  chance(part: number): boolean {
    return this.next() < part;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  many<T>(most: number, make: () => T): T[] {
    return Array.from({ length: 1 + this.below(most) }, make);
  }
}

const KEYS = [
  ...Array.from({ length: 40 }, (_, i) => `key:${i}`),
  ...[
    "a",
    "A",
    "é",
    "e\u0301",
    "😀",
    "\0",
    "\n",
    '"',
    "\\",
    "%2e",
    "*",
    "?",
    "[a]",
    "../x",
    "/",
    "{",
    "}",
  ],
  ...[
    "__proto__",
    "constructor",
    "toString",
    "space/{other}/d/",
    "commit/x",
    "bytes",
    "k".repeat(500),
  ],
];
const PREFIXES = ["", "key:", "key:1", "a", "none", "__", "😀"];
const TEXTS = [
  "",
  "x",
  "null",
  "\u0000",
  "\ud800",
  "😀",
  "x".repeat(300),
  "<script>",
  "${1}",
  "1e999",
];
const NUMBERS = [0, -0, 1, -1, 0.1, 1e21, 2 ** 53, -(2 ** 53), 1e308, 253_402_300_800_000];

function valueOf(choices: Choices, depth = 0): Json {
  const kind = choices.below(depth > 3 ? 4 : 6);
  if (kind === 0) return choices.of(NUMBERS);
  if (kind === 1) return choices.of(TEXTS);
  if (kind === 2) return choices.chance(0.5);
  if (kind === 3) return depth === 0 ? "value" : null;
  if (kind === 4) return choices.many(4, () => valueOf(choices, depth + 1));
  return Object.fromEntries(
    choices.many(4, () => [choices.of(KEYS), valueOf(choices, depth + 1)] as const),
  );
}

function writeOf(choices: Choices, now: number): Json {
  const write: { [name: string]: Json } = {
    key: choices.of(KEYS),
    value: choices.chance(0.2) ? null : valueOf(choices),
  };
  if (choices.chance(0.3))
    write.expires = choices.chance(0.2) ? null : now + choices.below(100_000) - 1000;
  if (choices.chance(0.2)) write.metadata = valueOf(choices);
  return write;
}

const page = (choices: Choices): Json => {
  const prefix = choices.of(PREFIXES);
  return {
    prefix,
    limit: 1 + choices.below(20),
    reverse: choices.chance(0.3),
    values: choices.chance(0.5),
    after: choices.chance(0.3) ? `${prefix}1` : null,
  };
};

/** The body of each operation, by its name; `versions` are some that were answered. */
const BODIES: { [name: string]: (choices: Choices, now: number, versions: Json[]) => Json } = {
  get: (choices) => ({
    keys: choices.many(10, () => choices.of(KEYS)),
    values: choices.chance(0.8),
  }),
  list: page,
  set: (choices, now) => ({ writes: choices.many(5, () => writeOf(choices, now)) }),
  commit: (choices, now, versions) => ({
    checks: choices.many(2, () => ({
      key: choices.of(KEYS),
      version: choices.chance(0.5) || versions.length === 0 ? null : choices.of(versions),
    })),
    writes: choices.many(4, () => writeOf(choices, now)),
    id: choices.chance(0.5) ? null : `id-${String(choices.below(1e9)).padStart(20, "0")}`,
  }),
  touch: (choices, now) => ({
    key: choices.of(KEYS),
    expires: choices.chance(0.3) ? null : now + choices.below(100_000),
  }),
  clear: (choices) => ({ prefix: choices.of(PREFIXES.slice(1)) }),
  prune: (choices) => ({ prefix: choices.of(PREFIXES) }),
  watch: (choices) => ({ keys: choices.many(5, () => choices.of(KEYS)) }),
};

/** How often each operation is sent. */
const OPERATIONS = [
  ...Array.from({ length: 12 }, () => "get"),
  ...Array.from({ length: 10 }, () => "set"),
  ...Array.from({ length: 10 }, () => "commit"),
  ...Array.from({ length: 6 }, () => "list"),
  ...Array.from({ length: 4 }, () => "touch"),
  ...["clear", "prune", "watch", "health", "ready"],
];

/** A request that the server carries out. */
export function validRequest(
  choices: Choices,
  tokens: readonly string[],
  versions: Json[],
): FuzzedRequest {
  const operation = choices.of(OPERATIONS);
  const make = BODIES[operation];
  if (make === undefined)
    return { method: "GET", path: `/${operation}`, headers: {}, body: Buffer.alloc(0) };
  const body = JSON.stringify(make(choices, Date.now(), versions));
  const authorization = `Bearer ${choices.of(tokens)}`;
  const headers = { "content-type": "application/json", authorization };
  return { method: "POST", path: `/v1/${operation}`, headers, body: Buffer.from(body) };
}

const STRANGE: readonly Json[] = [
  ...[null, true, -1, 1e21, 0.5, "", "x".repeat(5000), "\ud800", [], {}, [[]], [null], { a: 1 }],
  ...["constructor", "__proto__", "2027-01-01", "1h", " "],
];

/** The same JSON with one part replaced, removed, renamed or added. */
function changed(choices: Choices, json: Json): Json {
  if (typeof json !== "object" || json === null || choices.chance(0.2)) return choices.of(STRANGE);
  const names = Object.keys(json);
  const copy = (Array.isArray(json) ? [...json] : { ...json }) as { [name: string]: Json };
  if (names.length === 0 || choices.chance(0.1)) copy[choices.of(KEYS)] = choices.of(STRANGE);
  else {
    const name = choices.of(names);
    const kind = choices.below(5);
    if (kind === 0) delete copy[name];
    else if (kind === 1) copy[`${name}s`] = copy[name]!;
    else copy[name] = changed(choices, copy[name]!);
  }
  return copy as Json;
}

/** Ways to damage the text of a body. */
const DAMAGES: ((choices: Choices, body: Buffer) => Buffer)[] = [
  (choices, body) => body.subarray(0, choices.below(body.length)),
  (choices, body) => {
    const copy = Buffer.from(body);
    if (copy.length > 0) copy[choices.below(copy.length)] = choices.below(256);
    return copy;
  },
  (_, body) => Buffer.concat([body, body]),
  (_, body) => Buffer.concat([Buffer.from("\ufeff"), body]),
  (choices) => Buffer.from(choices.of(["[", '{"a":', "[[],"]).repeat(1 + choices.below(5000))),
  (choices) => Buffer.from(`{"keys":[${"1,".repeat(choices.below(2000))}1]}`),
  (choices) =>
    Buffer.from(`{"writes":[{"key":"a","value":${"9".repeat(1 + choices.below(400))}}]}`),
  (choices) => Buffer.from(`{"__proto__":{"keys":["a"]},"keys":["key:${choices.below(40)}"]}`),
  () => Buffer.alloc(0),
];

/** A request with one thing wrong: mostly in its body, else around it. */
export function mutatedRequest(choices: Choices, valid: FuzzedRequest): FuzzedRequest {
  const kind = choices.below(10);
  if (kind < 6 && valid.body.length > 0) {
    const body = JSON.stringify(changed(choices, JSON.parse(valid.body.toString()) as Json));
    return { ...valid, body: Buffer.from(body) };
  }
  if (kind < 8) return { ...valid, body: choices.of(DAMAGES)(choices, valid.body) };
  if (kind === 8) {
    const path = choices.of([
      ...["/", "/v1", "/v1/", "/v1/toString", "/v1/__proto__", "/V1/get", "//v1/get", "/v1/get/"],
      ...["/v1/get?keys=a", "/v1/%67et", "/v1/../v1/get", "/health/", "/ready?x", "/v1/get%00"],
    ]);
    return {
      ...valid,
      path,
      method: choices.of(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]),
    };
  }
  const { authorization = "", ...rest } = valid.headers;
  const headers = choices.of([
    { ...rest, authorization: `${authorization}x` },
    { ...rest, authorization: authorization.slice(0, -1) },
    { ...rest, authorization: authorization.replace("Bearer", "Basic") },
    rest as { [name: string]: string },
    { ...valid.headers, "content-type": "text/plain" },
    { ...valid.headers, "content-encoding": "gzip" },
    { ...valid.headers, origin: "https://example.com", cookie: "a=b" },
    { ...valid.headers, "content-type": 'application/json; charset="utf-8"' },
  ]);
  return { ...valid, headers };
}
