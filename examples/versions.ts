// A short tour of anykv/atomic and anykv/versioned on one SQLite database. Prints what it does and
// what came of it.
import { DatabaseSync } from "node:sqlite";
import kv from "anykv";
import { increment } from "anykv/atomic";
import { versioned } from "anykv/versioned";

interface User {
  name: string;
  email: string;
}

const say = (what: string, result: unknown): void =>
  console.log(`  ${what.padEnd(62)} ${JSON.stringify(result)}`);

export async function versions(): Promise<void> {
  const db = new DatabaseSync(":memory:");
  console.log("\nanykv/atomic and anykv/versioned on node:sqlite:\n");

  const counters = kv(db, { prefix: "counters/" });
  const results = await Promise.all(
    Array.from({ length: 20 }, () => increment(counters, "tickets", 1, { max: 5 })),
  );
  say(
    "20 buyers at once, 5 tickets: how many got one",
    results.filter((ticket) => ticket !== null).length,
  );

  const store = versioned(kv(db, { prefix: "users/" }), {
    indexes: { email: { prefix: ["users"], of: (user: User) => user.email, unique: true } },
  });
  const ann = await store.set<User>(["users", "1"], { name: "Ann", email: "ann@example.com" });
  await store.set<User>(["users", "2"], { name: "Bob", email: "bob@example.com" });
  say("the entry under [users, 1]", { ...ann, version: `${ann.version.slice(0, 6)}…` });

  const late = store
    .atomic()
    .check({ key: ["users", "1"], version: null })
    .set(["users", "1"], { name: "Eve", email: "eve@example.com" });
  say("creating it again, if it is absent", await late.commit());
  const done = await store
    .atomic()
    .check(ann)
    .set(ann.key, { ...ann.value, name: "Ann B." })
    .sum(["changes"], 1n)
    .commit();
  say("changing it and a counter, if it has that version", done.ok);
  say("found by its e-mail", (await store.getBy<User>("email", "ann@example.com"))?.value.name);
  say(
    "an e-mail that another has",
    await store
      .set(["users", "3"], { name: "Cat", email: "bob@example.com" })
      .catch((error: { code: string }) => error.code),
  );

  const names: string[] = [];
  for await (const { value } of store.list<User>({ prefix: ["users"] }, { reverse: true }))
    names.push(value.name);
  say("all users, backwards", names);
  await store.close();
}
