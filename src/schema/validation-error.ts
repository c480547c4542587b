import { KvError } from "../errors.ts";

/** One thing that is wrong with a value. */
export interface ValidationIssue {
  /** The issues, in the words of the schema. */
  readonly message: string;
  /** Where in the value: empty for the value itself. */
  readonly path: readonly PropertyKey[];
}

const MOST_PATHS = 5;

const step = (part: PropertyKey): string =>
  typeof part === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(part)
    ? `.${part}`
    : `[${typeof part === "symbol" ? String(part) : JSON.stringify(part)}]`;
const where = ({ path }: ValidationIssue): string => `value${path.map(step).join("")}`;

/**
 * A value that does not fit its schema: `code` is KV_VALIDATION. The message names the paths, never
 * the values; the messages of the schema are in `issues`.
 *
 * @example
 * import { StaticStore } from "anykv/schema";
 *
 * const app = StaticStore("app", { name: "string" });
 * const error = await app.take("name").write(5).catch((error) => error);
 * console.log(error.code, error.key); // KV_VALIDATION app:name
 * console.log(error.issues); // [{ message: "expected a string, not a number", path: [] }]
 */
export class KvValidationError extends KvError {
  readonly issues: readonly ValidationIssue[];

  constructor(
    key: string,
    issues: readonly ValidationIssue[],
    details: { readonly client?: string; readonly cause?: unknown; readonly what?: string } = {},
  ) {
    const { what = "does not fit the schema", ...rest } = details;
    const places = [...new Set(issues.map(where))];
    const more = places.length > MOST_PATHS ? ` and ${places.length - MOST_PATHS} more` : "";
    super(
      "KV_VALIDATION",
      `${places.slice(0, MOST_PATHS).join(", ") || "value"}${more} ${what} of ` +
        `${JSON.stringify(key)}: see the issues`,
      { key, ...rest },
    );
    this.issues = issues;
  }
}
