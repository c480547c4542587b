import { numbersOf, spread } from "./processes.ts";
import { line, median } from "./race.ts";

const PROCESSES = 21;
const LIBRARIES = ["anykv", "polystore"] as const;

const program = (library: string): string => `
  const start = performance.now();
  const { default: kv } = await import(${JSON.stringify(import.meta.resolve(library))});
  const imported = performance.now();
  const store = kv(new Map());
  await store.set("key", { name: "Ann" });
  await store.get("key");
  const end = performance.now();
  console.log(JSON.stringify({ import: imported - start, all: end - start }));`;

/** `import` and the first `set` and `get` in a fresh process, each library in turn. */
export async function firstCall(): Promise<void> {
  const runs = LIBRARIES.map((): { [name: string]: number }[] => []);
  for (let i = 0; i < PROCESSES; i++) {
    for (const [place, library] of LIBRARIES.entries()) {
      runs[place]!.push(await numbersOf(["--input-type=module", "--eval", program(library)]));
    }
  }
  const [ours, theirs] = runs as [{ [name: string]: number }[], { [name: string]: number }[]];
  for (const [name, title] of [
    ["all", "import, first set and get"],
    ["import", "import alone"],
  ] as const) {
    const [ms, range] = spread(ours).get(name)!;
    const reference = median(theirs.map((run) => run[name]!));
    const detail = `${ms.toFixed(2)} ms (${range}), polystore ${reference.toFixed(2)} ms`;
    line(
      `${title}, against polystore`,
      ms / reference,
      "at most 1.3",
      ms <= 1.3 * reference,
      detail,
    );
  }
}
