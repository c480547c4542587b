import { builtin } from "../../platform/node.ts";

/** The headers that a response varies by. A new generation starts when they were deleted. */
export interface Variants {
  readonly names: readonly string[];
  readonly generation: string;
}

interface Headers {
  readonly [name: string]: string | string[] | null | undefined;
}

const hash = (parts: readonly unknown[]): string =>
  builtin("node:crypto").createHash("sha256").update(JSON.stringify(parts)).digest("base64url");

/** The key of a URL and a method: URLs are longer than keys may be. */
export function idOf(key: { origin: string; path: string }, method: string): string {
  return `${hash([key.origin, key.path])}:${method}`;
}

/** The names of the headers, in order. */
export const namesOf = (vary: Headers): string[] => Object.keys(vary).sort();

/** The key of the response for these values of the headers. */
export function variantOf(id: string, { names, generation }: Variants, headers: Headers): string {
  const values = names.map((name) => headers[name] ?? null).map((value) => value && `${value}`);
  return `${id}:${hash([generation, ...values])}`;
}
