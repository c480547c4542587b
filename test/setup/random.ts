import { configureGlobal } from "fast-check";

// A random test that fails names its seed; ANYKV_SEED repeats it.
const seed: unknown = import.meta.env.ANYKV_SEED;
if (seed) configureGlobal({ seed: Number(seed) });
