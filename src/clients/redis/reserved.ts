/** Keys that begin with this are those of indexes. */
export const RESERVED = "anykv:order:{";

/** Whether a key is one of those that keep an index. */
export const isReserved = (key: string): boolean => key.startsWith(RESERVED);
