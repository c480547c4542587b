// What the examples keep is in a file: stop one and start it again, and you are still logged in.
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import kv, { type Store } from "anykv";

const file = process.env.STORE_FILE ?? path.join(tmpdir(), "anykv-example.json");
export const store: Store = kv(pathToFileURL(file));

/** 3000, or the port that PORT names. */
export const port: number = Number(process.env.PORT ?? 3000);

/** Says where an example is served. */
export const announce = (served: number): void => console.log(`http://127.0.0.1:${served}`);
