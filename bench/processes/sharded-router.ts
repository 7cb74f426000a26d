import { join } from "node:path";
import type { Usage } from "@messagepasser/protocol/admin";
import { setShards } from "../../scripts/admin-client.ts";
import { bundledWorker, type Router, startRouter } from "../../scripts/router.ts";
import { homeOf } from "../../src/shards/home.ts";
import type { Account } from "./accounts.ts";
import { cpuMs, withWorkerdId } from "./linux.ts";
import { openAuthenticator } from "./trusting-router.ts";

/** A router that believes every client, and whose realm has several shards. */
export class ShardedRouter implements AsyncDisposable {
  readonly #router: Router;
  readonly #processId: number;
  readonly #count: number;

  private constructor(router: Router, processId: number, count: number) {
    this.#router = router;
    this.#processId = processId;
    this.#count = count;
  }

  static async start(count: number): Promise<ShardedRouter> {
    const worker = await bundledWorker(join(import.meta.dirname, "shards-worker.ts"), openAuthenticator);
    const [router, processId] = await withWorkerdId(() => startRouter({ worker, connectsPer10s: Infinity }));
    if (count > 1) await setShards(router, count);
    return new ShardedRouter(router, processId, count);
  }

  get url(): URL {
    return this.#router.url;
  }

  /** A client whose home is this shard. */
  accountOn(shard: number, name: string): Account {
    return { name: nameOn(shard, this.#count, name), secret: "any" };
  }

  /** Processor time of all shards, in milliseconds, and what each has counted. */
  async costs(): Promise<{ readonly cpuMs: number; readonly usages: readonly Usage[] }> {
    const shards = Array.from({ length: this.#count }, (_, shard) => shard);
    const usages = await Promise.all(
      shards.map(async (shard) => {
        const url = new URL(`/bench/usage?shard=${shard}`, this.url.href.replace(/^ws/, "http"));
        // The answer of shards-worker.ts.
        const answer: unknown = await (await fetch(url)).json();
        return answer as Usage;
      }),
    );
    return { cpuMs: cpuMs([this.#processId]), usages };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#router[Symbol.asyncDispose]();
  }
}

/** A name whose home is a shard: names with the same beginning share one. */
export function nameOn(shard: number, count: number, name: string): string {
  for (let group = 0; ; group++) if (homeOf(`g${group}`, count) === shard) return `g${group}/${name}`;
}
