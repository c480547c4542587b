import type { CacheState } from "./state.ts";

/** Makes the first tier, if there is one and it was not made. Its code is loaded then. */
export async function openTier(state: CacheState): Promise<void> {
  const [{ L1 }, { followChanges }] = await Promise.all([import("./l1.ts"), import("./wait.ts")]);
  if (state.isClosed || state.l1 !== null) return;
  state.l1 = new L1(state.tiers!);
  void followChanges(state);
}
