// A short tour of anykv/schema on a SQLite database. Prints what it does and what came of it.
import { DatabaseSync } from "node:sqlite";
import kv from "anykv";
import { bitset, DynamicStore, StaticStore } from "anykv/schema";
import { z } from "zod";

const say = (what: string, result: unknown): void =>
  console.log(`  ${what.padEnd(62)} ${JSON.stringify(result)}`);

export async function schema(): Promise<void> {
  const store = kv(new DatabaseSync(":memory:"));
  console.log("\nanykv/schema on node:sqlite:\n");

  const app = StaticStore(
    "app",
    {
      users: DynamicStore("users", z.object({ name: z.string(), visits: z.number().default(0) })),
      online: "set",
      board: "sorted",
      levels: bitset(4),
    },
    { store },
  );

  const ann = app.take("users").take("ann");
  say("a user, as the schema makes it", await ann.write({ name: "Ann" }));
  await Promise.all(
    Array.from({ length: 10 }, () => ann.update(({ visits }) => ({ visits: visits + 1 }))),
  );
  say("after ten visits at once", await ann.read());
  say(
    "a name that is a number",
    await ann
      .write({ name: 5 as never })
      .catch((error: { code: string; message: string }) => [error.code, error.message]),
  );
  say(
    "how many are new in a set of two",
    await app.take("online").add(["ann", "bob"], { expires: "5m" }),
  );
  await app.take("board").addAll({ ann: 30, bob: 45, eve: 20 });
  say("the two with the most points", await app.take("board").range(0, 2, { reverse: true }));
  await app.take("levels").write(0, 7);
  say("7 and 1 in four bits", await app.take("levels").increment(0));
  say("what there is", await app.keys());
  await app.erase();
  say("and once it is erased", await app.keys());
  await store.close();
}
