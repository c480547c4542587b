import type { KVNamespace } from "@cloudflare/workers-types";
import { KV, type Namespace } from "anykv/namespace";
declare const ours: Namespace;
export const theirs: KVNamespace = ours;
export const also: KVNamespace = KV.namespace("a");
