import { stringify, unflatten } from "devalue";
import { KvError } from "./errors.ts";
import type { Json } from "./types.ts";
import { adviceFor, isOfClass } from "./record/json-fault.ts";

/**
 * A class of the platform, where its types are known: without those of the DOM or of Node there is
 * nothing to name.
 */
type Global<Name extends string> = typeof globalThis extends {
  readonly [key in Name]: { readonly prototype: infer Instance };
}
  ? Instance
  : never;

/** The values that {@link rich} keeps. */
export type Rich =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | RegExp
  | Global<"URL">
  | Global<"URLSearchParams">
  | ArrayBuffer
  | ArrayBufferView
  | Map<Rich, Rich>
  | Set<Rich>
  | Rich[]
  | { [key: string]: Rich };

/** The codec of a store of {@link Rich} values, or of any type that is made of them. */
export interface RichCodec {
  readonly name: string;
  encode<T = Rich>(value: T): Json;
  encode(value: Rich): Json;
  decode<T = Rich>(json: Json): T;
  // Said again without a type of its own: `kv()` infers the type of the values from the last
  // signature.
  decode(json: Json): Rich;
}

/** As deep as values without a codec may nest. */
const MAX_DEPTH = 1000;

// The one key of the object that a value is wrapped in, unless it is JSON already.
const WRAPPER = "$rich";

const CLASSES = new Set(
  (
    "Date RegExp URL URLSearchParams Map Set ArrayBuffer DataView Int8Array Uint8Array " +
    "Uint8ClampedArray Int16Array Uint16Array Float16Array Int32Array Uint32Array Float32Array " +
    "Float64Array BigInt64Array BigUint64Array"
  ).split(" "),
);

const nameOf = (value: object): string =>
  (Object.getPrototypeOf(value) as object | null)?.constructor?.name ||
  Object.prototype.toString.call(value).slice(8, -1);

/**
 * The name of a class of the platform that can be kept, of any realm; `null` for all others, those
 * that extend one included.
 */
function classOf(value: object): string | null {
  const name = nameOf(value);
  // Node's own kind of Uint8Array: comes back as the plain one.
  if (name === "Buffer" && value instanceof Uint8Array) return "Uint8Array";
  return CLASSES.has(name) && Object.prototype.toString.call(value) === `[object ${name}]`
    ? name
    : null;
}

/**
 * A step from a value to one of its parts: a key, an index, or (in Map and Set) the words for it.
 */
type Step = string | number | { readonly words: string };

function described(step: Step): string {
  if (typeof step === "object") return step.words;
  if (typeof step === "number") return `[${step}]`;
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

/** Looks at each part of a value once. */
class Inspection {
  readonly #seen = new Set<object>();
  readonly #path: Step[] = [];

  /**
   * Whether a value is JSON without any change: a tree of dense arrays and ordinary objects.
   *
   * @throws {KvError} KV_INVALID_VALUE with the path of the first part that cannot be stored.
   */
  isJson(value: unknown): boolean {
    if (typeof value === "function" || typeof value === "symbol")
      return this.#refuse(`is a ${typeof value}`);
    if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
    if (typeof value !== "object") return typeof value === "string" || typeof value === "boolean";
    if (value === null) return true;
    // An object that occurs twice needs the other form to stay one object.
    if (this.#seen.has(value)) return false;
    this.#seen.add(value);
    if (this.#path.length === MAX_DEPTH)
      return this.#refuse(`nests deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) return this.#isJsonArray(value);
    const proto: unknown = Object.getPrototypeOf(value);
    if (proto === null || Object.getPrototypeOf(proto) === null)
      return this.#isJsonObject(value) && proto !== null;
    const name = classOf(value);
    if (name === null) return this.#refuse(isOfClass(nameOf(value)));
    if (name === "Map" || name === "Set")
      this.#visitCollection(value as Map<unknown, unknown>, name === "Map");
    return false;
  }

  #visit(step: Step, part: unknown): boolean {
    this.#path.push(step);
    const found = this.isJson(part);
    this.#path.pop();
    return found;
  }

  #isJsonArray(array: readonly unknown[]): boolean {
    if (nameOf(array) !== "Array") return this.#refuse(isOfClass(nameOf(array)));
    let json = true;
    for (let i = 0; i < array.length; i++) {
      // A loop over holes could take for ever: an array may have a length of four thousand million.
      if (!Object.hasOwn(array, i)) {
        for (const [key, item] of Object.entries(array)) this.#visit(Number(key), item);
        return false;
      }
      json = this.#visit(i, array[i]) && json;
    }
    return json;
  }

  #isJsonObject(object: object): boolean {
    const [symbol] = Object.getOwnPropertySymbols(object);
    if (symbol !== undefined) return this.#refuse(`has a key that is a symbol (${String(symbol)})`);
    let json = true;
    for (const [key, item] of Object.entries(object)) json = this.#visit(key, item) && json;
    return json;
  }

  #visitCollection(collection: Map<unknown, unknown>, isMap: boolean): void {
    let i = 0;
    for (const [key, item] of collection.entries()) {
      if (isMap) this.#visit({ words: `.keys()[${i}]` }, key);
      this.#visit({ words: `.values()[${i++}]` }, item);
    }
  }

  #refuse(reason: string): never {
    const path = this.#path;
    const where = `value${path.slice(0, 20).map(described).join("")}${path.length > 20 ? "…" : ""}`;
    throw new KvError(
      "KV_INVALID_VALUE",
      `${where} ${reason}: ${adviceFor(reason, "it cannot be stored, not even with this codec")}`,
    );
  }
}

function isWrapper(value: unknown): value is { [WRAPPER]: Json } {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.hasOwn(value, WRAPPER) &&
    Object.keys(value).length === 1
  );
}

// devalue refuses the key `__proto__`: it, and whatever it then could be mistaken for, gets one
// more `_`.
const escaped = (key: string): string => (/^_*__proto__$/.test(key) ? `_${key}` : key);
const unescaped = (key: string): string => (/^_+__proto__$/.test(key) ? key.slice(1) : key);

const STRINGIFY = {
  shapeOf: (value: object) =>
    ({
      kind: Object.getPrototypeOf(value) === null ? "null-proto" : "plain",
      keys: Object.keys(value).map(escaped),
    }) as const,
  get: (value: object, key: string | number): unknown =>
    value[(typeof key === "string" ? unescaped(key) : key) as never],
  // Only the bytes of the view: the rest of its buffer may belong to other code.
  viewInfo: (view: ArrayBufferView) => {
    const { byteOffset, byteLength } = view;
    const buffer = new Uint8Array(view.buffer).slice(byteOffset, byteOffset + byteLength).buffer;
    return {
      buffer,
      byteOffset: 0,
      byteLength,
      length: "length" in view ? (view.length as number) : byteLength,
      bufferByteLength: byteLength,
    };
  },
};

const PARSE = {
  set: (target: object, key: string | number, value: unknown): void => {
    const name = typeof key === "string" ? unescaped(key) : key;
    // An assignment to `__proto__` would change the prototype.
    if (name === "__proto__")
      Object.defineProperty(target, name, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    else target[name as never] = value as never;
  },
};

/**
 * Keeps values that JSON cannot, at any depth: `Date`, `bigint`, `Map`, `Set`, `ArrayBuffer` and
 * its views, `RegExp`, `URL`, `URLSearchParams`, `undefined`, `NaN`, `Infinity`, `-Infinity`, `-0`,
 * sparse arrays, objects without a prototype, and references: shared objects and cycles are
 * restored. A Node `Buffer` comes back as `Uint8Array`.
 *
 * A value that is JSON already is stored as it is, and readable without this codec. Any other value
 * is encoded as `{ "$rich": … }` in the format of devalue, and so is an object with the one key
 * `"$rich"`. Reading it without this codec is KV_CORRUPT. Values that were stored without a codec
 * are read unchanged, except for objects with the one key `"$rich"`.
 *
 * @throws {KvError} KV_INVALID_VALUE, with the path, for functions, symbols, instances of classes,
 * and values that nest deeper than 1,000 levels.
 * @example
 * import kv from "anykv";
 * import { rich } from "anykv/codec";
 *
 * const store = kv(new Map(), { codec: rich });
 * await store.set("user", { born: new Date(0), tags: new Set(["a"]), balance: 10n });
 * const { born, tags, balance } = await store.get("user");
 * console.log(born.getTime(), tags.has("a"), typeof balance); // 0 true bigint
 */
export const rich: RichCodec = {
  name: "rich",
  encode(value: unknown): Json {
    if (new Inspection().isJson(value) && !isWrapper(value)) return value as Json;
    return {
      [WRAPPER]: JSON.parse(stringify(value, undefined, { operations: STRINGIFY })) as Json,
    };
  },
  decode<T>(json: Json): T {
    return (
      isWrapper(json) ? unflatten(json[WRAPPER] as never, undefined, { operations: PARSE }) : json
    ) as T;
  },
};

/** The codec of a store of values that JSON keeps a part of. */
export interface JsonCodec {
  encode(value: unknown): Json;
  decode<T>(json: Json): T;
  // Said again without a type of its own: `kv()` infers the type of the values from the last
  // signature.
  decode(json: Json): unknown;
}

/**
 * Keeps exactly `JSON.parse(JSON.stringify(value))`, for values with a method `toJSON()`, such as
 * sessions, `AxiosHeaders`, `URL` and `Date`, and for instances of classes: they come back as the
 * plain JSON of their own members. Members that JSON leaves out, such as functions, are lost
 * without an error.
 *
 * The records have no mark: they are readable without this codec.
 *
 * @throws {KvError} KV_INVALID_VALUE for values that `JSON.stringify()` rejects (cycles, bigints)
 * or turns into nothing or `null` (functions, `NaN`).
 * @example
 * import kv from "anykv";
 * import { jsonCodec } from "anykv/codec";
 *
 * const store = kv(new Map(), { codec: jsonCodec });
 * await store.set("page", { url: new URL("https://example.com/"), seen: new Date(0) });
 * console.log(await store.get("page"));
 * // { url: "https://example.com/", seen: "1970-01-01T00:00:00.000Z" }
 */
export const jsonCodec: JsonCodec = {
  encode(value: unknown): Json {
    const text = JSON.stringify(value) as string | undefined;
    return text === undefined ? null : (JSON.parse(text) as Json);
  },
  decode<T>(json: Json): T {
    return json as T;
  },
};
