// A short tour of anykv/namespace on one SQLite database in a folder of its own. Prints what it
// does and what came of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createKV } from "anykv/namespace";

const say = (what: string, result: unknown): void =>
  console.log(`  ${what.padEnd(62)} ${JSON.stringify(result)}`);

export async function namespaces(): Promise<void> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "anykv-namespace-"));
  const KV = createKV({ dataDir });
  console.log(`\nanykv/namespace on ${KV.storage}:\n`);
  try {
    const posts = KV.namespace("posts");
    for (const [slug, author] of [
      ["hello", "ann"],
      ["again", "bob"],
      ["news", "ann"],
      ["draft", "eve"],
      ["late", "bob"],
    ] as const) {
      await posts.put(`post:${slug}`, { slug, author }, { metadata: { author } });
    }
    await posts.put("cache:front", "<h1>Hello</h1>", { expirationTtl: 300 });
    await posts.put("logo", new Uint8Array([0x89, 0x50, 0x4e, 0x47]), {
      metadata: { type: "image/png" },
    });

    say("a post as JSON", await posts.get("post:hello", "json"));
    const { value, metadata } = await posts.getWithMetadata("logo", "arrayBuffer");
    say("bytes and their metadata", [...new Uint8Array(value!), metadata]);
    const { expiration } = await posts.getWithMetadata("cache:front");
    say("seconds that the front page is cached for", Math.round(expiration! - Date.now() / 1000));
    say("the same key in another namespace", await KV.namespace("drafts").get("post:hello"));

    let cursor: string | undefined;
    for (let number = 1; number === 1 || cursor !== undefined; number++) {
      const page = await posts.list<{ author: string }>({ prefix: "post:", limit: 2, cursor });
      say(
        `page ${number} of the posts, no value read`,
        page.keys.map((key) => `${key.name} by ${key.metadata?.author}`),
      );
      cursor = page.cursor;
    }
  } finally {
    await KV.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
