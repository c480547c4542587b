import type { OrderIndex } from "./order-index.ts";
import { ADD, BEGIN, FINISH } from "./order-scripts.ts";
import { runOf } from "./run-id.ts";
import { slotLayout } from "./scan.ts";
import { runText } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import type { RedisNode, RedisWire } from "./wire.ts";

/** How many names one step of a build looks at: a server is busy with them for a millisecond. */
const SLICE = 1000;

/** A slot of up to so many keys is read as a whole, which a server takes some milliseconds for. */
const SMALL = 10_000;

/** How long the first listing waits for a build, in milliseconds; the rest is made beside it. */
const WAIT = 250;

/**
 * Puts those of some names in the index that are names of records, and notes the progress, "" for
 * none. `false` when the index was lost meanwhile.
 */
type Add = (names: readonly string[], progress?: string) => Promise<boolean>;

/** The steps of a build. The result tells whether every name was passed. */
type Steps = AsyncGenerator<void, boolean, undefined>;

/** Passes all names on one server that are wanted, from where another build has stopped. */
async function* scanned(
  node: RedisNode,
  add: Add,
  progress = "",
  isWanted: (name: string) => boolean = () => true,
): Steps {
  const epoch = node.epoch();
  const run = await runOf(node);
  // A place in the keys of one process means nothing to another one.
  const [before, at] = progress.split(" ");
  let cursor = run !== "" && before === run && /^\d+$/.test(at ?? "") ? at! : "0";
  do {
    const reply = (await node.send(["SCAN", cursor, "COUNT", String(SLICE)])) as [string, string[]];
    cursor = String(reply[0]);
    const isOver = cursor === "0" || run === "";
    if (!(await add(reply[1].filter(isWanted), isOver ? "" : `${run} ${cursor}`))) return false;
    yield;
  } while (cursor !== "0");
  return (await runOf(node)) === run && node.epoch() === epoch;
}

/** Passes all names in one slot. */
async function* inSlot(wire: RedisWire, slot: number, add: Add): Steps {
  const nodes = await wire.nodes();
  const before = await slotLayout(nodes);
  for (const node of nodes) {
    const count = Number(await node.send(["CLUSTER", "COUNTKEYSINSLOT", `${slot}`]));
    if (count > SMALL) {
      if (!(yield* scanned(node, add, "", (name) => slotOf(name) === slot))) return false;
      continue;
    }
    const command = ["CLUSTER", "GETKEYSINSLOT", `${slot}`, `${2 * SMALL}`] as const;
    const names = (await node.send(command)) as string[];
    for (let i = 0; i < names.length; i += SLICE) {
      if (!(await add(names.slice(i, i + SLICE)))) return false;
      yield;
    }
  }
  // A key of a slot that moves may be passed by.
  return (await slotLayout(await wire.nodes())) === before;
}

/**
 * Puts every record that is there into an index, step by step. Writers keep the index meanwhile. It
 * goes on where another build has stopped; several at once do each other no harm. The result tells
 * whether the index is complete. One that is complete already is only passed with `isRepair`.
 */
async function* build(wire: RedisWire, index: OrderIndex, isRepair: boolean): Steps {
  const { name, progress, slot } = index;
  const number = `-${1 + Math.floor(Math.random() * 2 ** 48)}`;
  const begun = (await runText(wire, BEGIN, [progress, name], [number])) as [unknown, unknown];
  const [score, at] = begun.map(String) as [string, string];
  if (score === "0" && !isRepair) return true;
  const add: Add = async (names, now = "") => {
    const keys = names
      .filter((each) => each.startsWith(wire.prefix))
      .map((each) => wire.before + each.slice(wire.prefix.length));
    return Number(await runText(wire, ADD, [...keys, progress, name], [score, now])) === 1;
  };
  const isWhole =
    slot === null
      ? yield* scanned((await wire.nodes())[0]!, add, at)
      : yield* inSlot(wire, slot, add);
  return isWhole && Number(await runText(wire, FINISH, [progress, name], [score])) === 1;
}

/** The builds of the indexes of a client, one at a time for each. */
export class OrderBuilds {
  readonly #wire: RedisWire;
  readonly #building = new Map<OrderIndex, Promise<boolean>>();

  constructor(wire: RedisWire) {
    this.#wire = wire;
  }

  /**
   * Makes an index, or goes on with it. Resolves to whether it is complete: a large one is finished
   * beside other work.
   */
  make(index: OrderIndex): Promise<boolean> {
    const building = this.#building.get(index) ?? this.#begin(index);
    this.#building.set(index, building);
    return building;
  }

  /** Adds every record that an index lacks, whether it is complete or not. */
  async repair(index: OrderIndex): Promise<void> {
    const steps = build(this.#wire, index, true);
    for (let step = await steps.next(); !step.done; step = await steps.next());
  }

  async #begin(index: OrderIndex): Promise<boolean> {
    const steps = build(this.#wire, index, false);
    let isLeft = false;
    try {
      for (const end = performance.now() + WAIT; performance.now() < end;) {
        const { done, value } = await steps.next();
        if (done) return value;
      }
      isLeft = true;
      void this.#finish(index, steps);
      return false;
    } catch {
      // Such as a full memory. The listing looks at all keys, and fails itself where the server
      // cannot be reached.
      return false;
    } finally {
      if (!isLeft) this.#building.delete(index);
    }
  }

  async #finish(index: OrderIndex, steps: Steps): Promise<void> {
    try {
      for (let step = await steps.next(); !step.done; step = await steps.next());
    } catch {
      // The next listing goes on with it, and fails itself where the server cannot be reached.
    } finally {
      this.#building.delete(index);
    }
  }
}
