import { KvError } from "../errors.ts";
import type { Guarded } from "../store/guarded.ts";
import { type SchemaBase, insideOf } from "./base.ts";
import { bitsetField } from "./bitset-field.ts";
import { Cell } from "./cell.ts";
import { DEFINITION, type Definition, type FieldDefinition, type NamedKind } from "./definition.ts";
import type { Field } from "./fields.ts";
import { hashField } from "./hash-field.ts";
import { jsonField } from "./json-field.ts";
import { listField } from "./list-field.ts";
import { encodeName, SEPARATOR } from "./path.ts";
import { setField } from "./set-field.ts";
import { booleanField, bytesField, numberField, stringField } from "./simple-fields.ts";
import { sortedField } from "./sorted-field.ts";
import { childrenOf, eraseBelow } from "./tree.ts";
import type { TypedStore } from "./types.ts";

const FIELDS: { readonly [Kind in NamedKind]: (cell: Cell) => Field } = {
  string: stringField,
  number: numberField,
  boolean: booleanField,
  bytes: bytesField,
  set: setField,
  list: listField,
  hash: hashField,
  sorted: sortedField,
};

/** How many fields are read at the same time. */
const AT_ONCE = 100;

/** A static or dynamic store without the types of its keys. */
export interface TreeStore extends TypedStore {
  take(key: string): unknown;
  keys(): Promise<string[]>;
  entries(): Promise<[string, unknown][]>;
}

/** Where a typed store is kept, and which keys it has. */
interface Node {
  readonly base: SchemaBase;
  readonly path: string;
  readonly definition: Definition;
}

/** The field or store at a path. */
function taken(base: SchemaBase, path: string, part: FieldDefinition): unknown {
  switch (part.kind) {
    case "store":
      return treeOf(base, path, part.definition);
    case "bitset":
      return bitsetField(new Cell(base, path, `bitset${part.bits}`), part.bits);
    case "json":
      return jsonField(new Cell(base, path, "json"), part.type);
    default:
      return FIELDS[part.kind](new Cell(base, path, part.kind));
  }
}

const noKey = ({ base, path }: Node, key: string, part: string): KvError =>
  new KvError(
    "KV_INVALID_KEY",
    `the store ${JSON.stringify(path)} has no key ${JSON.stringify(key)}: its schema names ` +
      "those it has",
    { client: base.store.type, key: path + SEPARATOR + part },
  );

/** The keys of a store for an operation that has its turn. */
async function* children(node: Node, adapter: Guarded): AsyncGenerator<string, void, undefined> {
  // A key that the schema does not name, such as data of an older schema, cannot be taken.
  for await (const key of childrenOf(node.base, adapter, node.path))
    if (key !== "" && node.definition.typeOf(key) !== undefined) yield key;
}

async function keysNow(node: Node, adapter: Guarded): Promise<string[]> {
  const found: string[] = [];
  for await (const key of children(node, adapter)) found.push(key);
  return found;
}

async function hasChildren(node: Node, adapter: Guarded): Promise<boolean> {
  for await (const _ of children(node, adapter)) return true;
  return false;
}

async function entriesNow(
  node: Node,
  take: (key: string) => unknown,
  adapter: Guarded,
): Promise<[string, unknown][]> {
  const { base, path, definition } = node;
  const inside = treeOf(insideOf(base), path, definition);
  const entry = async (key: string): Promise<[string, unknown]> => {
    const { kind } = definition.typeOf(key)!;
    return [
      key,
      kind === "store" || kind === "bitset"
        ? take(key)
        : await (inside.take(key) as { read(): Promise<unknown> }).read(),
    ];
  };
  const found: [string, unknown][] = [];
  const all = await keysNow(node, adapter);
  // Reading one after the other would take a round trip for each.
  for (let i = 0; i < all.length; i += AT_ONCE)
    found.push(...(await Promise.all(all.slice(i, i + AT_ONCE).map(entry))));
  // Fields that were removed since the listing have no value.
  return found.filter(([, value]) => value !== undefined);
}

/** The typed store at a path. */
export function treeOf(base: SchemaBase, path: string, definition: Definition): TreeStore {
  const { name, typeOf, dynamic } = definition;
  const node: Node = { base, path, definition };
  const own =
    dynamic?.kind === "json" ? jsonField(new Cell(base, path, "json"), dynamic.type) : null;
  const below = path + SEPARATOR;

  function take(key: string): unknown {
    const part = encodeName(key);
    const type = typeOf(key);
    if (type !== undefined) return taken(base, below + part, type);
    if (key === name) return tree;
    throw noKey(node, key, part);
  }

  const tree: TreeStore = {
    ...own,
    [DEFINITION]: definition,
    name,
    key: path,
    take,
    keys: () => base.turns.run({ readUnder: below }, (adapter) => keysNow(node, adapter)),
    entries: () =>
      base.turns.run({ readUnder: below }, (adapter) => entriesNow(node, take, adapter)),
    async exists() {
      const found = await Promise.all([
        own?.exists() ?? false,
        base.turns.run({ readUnder: below }, (adapter) => hasChildren(node, adapter)),
      ]);
      return found.includes(true);
    },
    async erase() {
      await Promise.all([
        own?.erase(),
        base.turns.run({ writeUnder: below }, (adapter) => eraseBelow(base, adapter, path)),
      ]);
    },
  };
  return tree;
}
