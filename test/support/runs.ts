/** Whether everything is tried that random tests and thin wrappers can try: `ANYKV_RUNS=full`. */
export const isFull: boolean = import.meta.env.ANYKV_RUNS === "full";

/** How many random runs a test makes: a quarter of all, unless all were asked for. */
export const runs = (all: number): number => (isFull ? all : Math.max(2, Math.ceil(all / 4)));
