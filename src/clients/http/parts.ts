import { utf8Length } from "../../record/utf8.ts";

/** How many items and about how many bytes go into one request. */
export const MOST_ITEMS = 1000;
const BYTES = 512_000;

/** The JSON of items in parts that each fit into a request; one that is larger stands alone. */
export function* splitItems(items: readonly unknown[]): Generator<string[], void, undefined> {
  let part: string[] = [];
  let bytes = 0;
  for (const item of items) {
    const text = JSON.stringify(item);
    const length = utf8Length(text);
    if (part.length === MOST_ITEMS || (part.length > 0 && bytes + length > BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(text);
    bytes += length;
  }
  if (part.length > 0) yield part;
}
