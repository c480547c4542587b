import { Refusal } from "./reply.ts";

/** How many requests of a space run at once at most. */
export const MOST_RUNNING = 32;
/** How many more of them wait at most, and of how many characters. */
export const MOST_WAITING = 1000;
const MOST_CHARACTERS = 16_000_000;
/** How many requests begin before connections are looked at again. */
const IN_ROUND = 2;

/** How long a request waits at most, in milliseconds: as long as clients do by default. */
const LONGEST_WAIT = 5000;

interface Job {
  readonly length: number;
  /** When it came. */
  readonly since: number;
  begin(): Promise<void>;
  refuse(): void;
}

const busy = (): Refusal =>
  new Refusal(
    "KV_RATE_LIMITED",
    "too many requests of this space wait to be answered: try again in 1 s",
    503,
    { "retry-after": "1" },
  );

/** The requests of a space that wait, and how many run. */
interface Lane {
  readonly waiting: Job[];
  characters: number;
  running: number;
}

/**
 * Lets the spaces take turns: however many requests a space sends, those of another wait for a few
 * of them only.
 */
export class SpaceTurns {
  readonly #lanes = new Map<string, Lane>();
  /** The lanes whose next request may begin, in the order of their turns. */
  readonly #ready = new Set<Lane>();
  #begun = 0;
  #isRound = false;

  /**
   * Does work for a request when it is the turn of its space.
   *
   * @param length the characters of the request.
   * @throws {KvError} KV_RATE_LIMITED when too many requests of the space wait already, or its turn
   * does not come in time.
   */
  take<T>(space: string, length: number, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(space) ?? { waiting: [], characters: 0, running: 0 };
    this.#lanes.set(space, lane);
    if (lane.waiting.length >= MOST_WAITING || lane.characters + length > MOST_CHARACTERS)
      throw busy();
    return new Promise((resolve, reject) => {
      const begin = (): Promise<void> => work().then(resolve, reject);
      lane.characters += length;
      lane.waiting.push({ length, since: performance.now(), begin, refuse: () => reject(busy()) });
      if (lane.running < MOST_RUNNING) this.#ready.add(lane);
      this.#goOn();
    });
  }

  /** Begins the work of this round. */
  #goOn(): void {
    for (const lane of this.#ready) {
      if (this.#begun >= IN_ROUND) break;
      this.#begun++;
      void this.#begin(lane);
    }
    if (this.#isRound || this.#begun === 0) return;
    this.#isRound = true;
    // After the requests that have arrived meanwhile.
    setImmediate(() => {
      this.#isRound = false;
      this.#begun = 0;
      this.#goOn();
    });
  }

  async #begin(lane: Lane): Promise<void> {
    const { length, since, begin, refuse } = lane.waiting.shift()!;
    lane.characters -= length;
    lane.running++;
    // The space goes to the end of the line.
    this.#ready.delete(lane);
    this.#await(lane);
    // When the store hangs, clients have given up the requests that wait for it.
    if (performance.now() - since > LONGEST_WAIT) refuse();
    else await begin();
    lane.running--;
    this.#await(lane);
    this.#goOn();
  }

  /** Puts a lane in line if its next request may begin. */
  #await(lane: Lane): void {
    if (lane.waiting.length > 0 && lane.running < MOST_RUNNING) this.#ready.add(lane);
  }
}
