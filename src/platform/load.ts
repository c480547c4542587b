/** The code that the first read or write of a client that answers at once can do without. */
export type Lazy = typeof import("../store/lazy.ts");

/** `code` is `undefined` until it was loaded. */
export const lazy: { code: Lazy | undefined } = { code: undefined };

export const load = async (): Promise<Lazy> => (lazy.code ??= await import("../store/lazy.ts"));
