import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import kv from "anykv";

const file = process.env.CACHE_FILE ?? path.join(tmpdir(), "anykv-example-next.json");
export const store = kv(pathToFileURL(file));
