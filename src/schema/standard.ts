import { KvValidationError, type ValidationIssue } from "./validation-error.ts";

/** The issues of a value, as schemas report them. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The result of a schema: its output, or the issues of the value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/**
 * A schema of any library that follows https://standardschema.dev (zod, valibot, arktype…): It
 * takes an `Input` and makes an `Output`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** Whether something is a schema. Those of some libraries are functions. */
export function isStandardSchema(input: unknown): input is StandardSchema {
  const standard =
    Object(input) === input ? (input as Partial<StandardSchema>)["~standard"] : undefined;
  return typeof standard?.validate === "function";
}

const issueOf = ({ message, path = [] }: StandardIssue): ValidationIssue => ({
  message,
  // Some libraries have classes of their own for paths.
  path: Array.from(path, (step) => (typeof step === "object" ? step.key : step)),
});

/**
 * The output of a schema for a value.
 *
 * @throws {KvError} KV_VALIDATION with the schema's issues, also when the schema itself throws, or
 * returns no valid result.
 */
export async function validated<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  key: string,
  details: { readonly client: string },
): Promise<Output> {
  let issues: readonly ValidationIssue[];
  try {
    const result = await schema["~standard"].validate(value);
    if (result.issues === undefined) return result.value;
    issues = result.issues.map(issueOf);
  } catch (cause) {
    throw new KvValidationError(key, [{ message: "the schema throws: see the cause", path: [] }], {
      ...details,
      cause,
    });
  }
  throw new KvValidationError(key, issues, details);
}
