import type { Feed, Subscription } from "../adapter.ts";
import type { StorageLike } from "./items.ts";

/** Changes that other tabs make, by the browser's `storage` events. Writers pay nothing. */
export function storageFeed(client: StorageLike, feed: Feed): Subscription {
  const listener = ({ key, storageArea }: StorageEvent): void => {
    if (storageArea !== client) return;
    if (key === null) feed.unknown();
    else feed.changed([key]);
  };
  // A page that was frozen gets no events.
  const shown = (): void => feed.unknown();
  globalThis.addEventListener?.("storage", listener);
  globalThis.addEventListener?.("pageshow", shown);
  return {
    close() {
      globalThis.removeEventListener?.("storage", listener);
      globalThis.removeEventListener?.("pageshow", shown);
    },
  };
}
