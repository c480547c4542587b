import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The test files that take longest, in the order of their start. Those that wait for servers take
 * turns with those that need the processor.
 */
const SLOW = [
  "store/half-open.server",
  "reactive/tabs",
  "clients/redis/outages.server",
  "clients/conformance.browser",
  "clients/redis/sentinel.server",
  "clients/etcd/outages.server",
  "docs/examples",
  "scripts/test",
  "clients/indexeddb/tabs",
  "clients/redis/cluster.server",
  "docs/notes-example.server",
  "clients/indexeddb/engines",
  "clients/etcd/etcd.server",
  "clients/postgres/pglite",
  "clients/postgres/pglite-conformance",
  "clients/http/conformance.server",
  "versioned/versioned.server",
  "namespace/namespace.server",
  "clients/cloudflare/conformance.server",
  "clients/redis/conformance.server",
  "clients/folder/folder",
  "namespace/namespace",
].map((name) => `/test/${name}.test.ts`);

/** Starts the slow test files first, so that none of them runs alone at the end. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = SLOW.findIndex((name) => moduleId.endsWith(name));
      return rank === -1 ? SLOW.length : rank;
    };
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b));
  }
}
