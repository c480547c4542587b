/**
 * The parts of JSON Schema that docs/openapi.json uses; anything else in a schema is an error of
 * the test.
 */
export interface Schema {
  readonly [keyword: string]: unknown;
}

const KNOWN = [
  "$ref",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "maxItems",
  "anyOf",
  "oneOf",
  "const",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "description",
  "default",
];

const typeOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "array"
      : Number.isInteger(value)
        ? "integer"
        : typeof value;

/** What is wrong with a value, each with its path. Empty when it fits. */
export function faults(schema: Schema, value: unknown, root: Schema, at = "$"): string[] {
  for (const keyword of Object.keys(schema))
    if (!KNOWN.includes(keyword))
      throw new Error(`the keyword ${keyword} at ${at} is not known to this validator`);
  if (typeof schema.$ref === "string") return faults(resolve(root, schema.$ref), value, root, at);
  const found: string[] = [];
  const fault = (what: string): void => void found.push(`${at}: ${what}`);

  for (const name of ["anyOf", "oneOf"]) {
    const choices = schema[name] as Schema[] | undefined;
    if (choices === undefined) continue;
    const fitting = choices.filter((choice) => faults(choice, value, root, at).length === 0).length;
    if (fitting === 0 || (name === "oneOf" && fitting > 1)) fault(`fits ${fitting} of ${name}`);
  }
  if ("const" in schema && value !== schema.const) fault(`is not ${String(schema.const)}`);
  const types = schema.type === undefined ? null : [schema.type].flat();
  if (
    types !== null &&
    !types.includes(typeOf(value)) &&
    !(types.includes("number") && typeof value === "number")
  )
    fault(`is a ${typeOf(value)}, not ${types.join(" or ")}`);

  if (typeof value === "string") {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern as string, "u").test(value))
      fault(`does not match ${String(schema.pattern)}`);
    if (
      value.length < Number(schema.minLength ?? 0) ||
      value.length > Number(schema.maxLength ?? Infinity)
    )
      fault("has another length");
  }
  if (
    typeof value === "number" &&
    (value < Number(schema.minimum ?? -Infinity) || value > Number(schema.maximum ?? Infinity))
  )
    fault("is out of range");
  if (Array.isArray(value)) {
    if (value.length > Number(schema.maxItems ?? Infinity)) fault("has too many items");
    if (schema.items !== undefined)
      value.forEach((item, i) =>
        found.push(...faults(schema.items as Schema, item, root, `${at}[${i}]`)),
      );
  } else if (typeof value === "object" && value !== null) {
    const properties = (schema.properties ?? {}) as { [name: string]: Schema };
    for (const name of (schema.required ?? []) as string[])
      if (!Object.hasOwn(value, name)) fault(`lacks ${name}`);
    for (const [name, member] of Object.entries(value)) {
      if (Object.hasOwn(properties, name))
        found.push(...faults(properties[name]!, member, root, `${at}.${name}`));
      else if (schema.additionalProperties === false) fault(`has ${name}`);
    }
  }
  return found;
}

/** What a reference such as "#/components/schemas/Key" stands for. */
export function resolve(root: Schema, reference: string): Schema {
  let found: unknown = root;
  for (const name of reference.split("/").slice(1))
    found = (found as { [name: string]: unknown })[name];
  if (typeof found !== "object" || found === null)
    throw new Error(`${reference} refers to nothing`);
  return found as Schema;
}
