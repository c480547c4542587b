import { builtin } from "../../../platform/node.ts";
import type { Subscription } from "../../adapter.ts";
import { unref } from "../../../platform/unref.ts";

const fs = builtin("node:fs");

/** How often the folder is looked at where the system reports nothing, in milliseconds. */
const INTERVAL = 250;

interface Watched {
  /** The folder, which may not exist yet. */
  readonly folder: string;
  /** The file or folder whose time of change is compared: the system reports nothing of some. */
  readonly path: string;
  /** Called with the name of a file that may have changed; `null` for any. */
  readonly changed: (name: string | null) => void;
  /** Called in every interval. */
  readonly tick?: () => void;
}

/**
 * Reports changes of the files of a folder: by `fs.watch`, and by the time of change where that
 * reports nothing, as on network file systems. Keeps no program alive.
 */
export function watchFolder({ folder, path, changed, tick }: Watched): Subscription {
  let watcher: ReturnType<typeof fs.watch> | null = null;
  let isReported = false;
  let last = stateOf(path);

  function stop(): void {
    watcher?.close();
    watcher = null;
  }
  function start(): void {
    try {
      watcher = fs.watch(folder, { persistent: false }, (_event, name) => {
        isReported = true;
        changed(name);
      });
      watcher.on("error", stop);
    } catch {
      // There is no such folder yet, or the system has no watches left: the time is compared.
      watcher = null;
    }
  }
  start();
  const timer = setInterval(() => {
    const state = stateOf(path);
    if (state !== last && !isReported) changed(null);
    last = state;
    isReported = false;
    if (watcher === null) start();
    tick?.();
  }, INTERVAL);
  unref(timer);
  return {
    close() {
      clearInterval(timer);
      stop();
    },
  };
}

/** Changes with the file, or with the names in the folder. */
function stateOf(path: string): string {
  const found = fs.statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.ino} ${found.mtimeMs} ${found.size}`;
}
