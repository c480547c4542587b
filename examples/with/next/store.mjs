import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import kv from "anykv";

const file = process.env.STORE_FILE ?? path.join(tmpdir(), "anykv-example.json");
export const store = kv(pathToFileURL(file));
