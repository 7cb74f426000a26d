import { type Client, connect, type ConnectOptions, type Status } from "messagepasser";
import { NetworkPath } from "./proxy.ts";
import type { Realm } from "./realm.ts";

/** The statuses of a client's link and of its peers, in order. */
export class StatusLog {
  readonly all: Status[] = [];
  #read = 0;
  #wake = Promise.withResolvers<undefined>();

  readonly onStatus = (status: Status): void => {
    this.all.push(status);
    this.#wake.resolve(undefined);
    this.#wake = Promise.withResolvers();
  };

  /** Forgets what was told so far. */
  clear(): void {
    this.all.length = this.#read = 0;
  }

  get kinds(): Status["kind"][] {
    return this.all.map(({ kind }) => kind);
  }

  /** The next status of a kind; those before it count as read. */
  async next<Kind extends Status["kind"]>(kind: Kind): Promise<Extract<Status, { kind: Kind }>> {
    for (;;) {
      while (this.#read < this.all.length) {
        const status = this.all[this.#read++];
        // The kind says which of the union it is.
        if (status?.kind === kind) return status as never;
      }
      await this.#wake.promise;
    }
  }
}

/** A client that is online, on a network of its own, which may fail. */
export interface Side extends AsyncDisposable {
  readonly client: Client;
  readonly path: NetworkPath;
  readonly statuses: StatusLog;
}

export async function startSide(
  realm: Pick<Realm, "secretOf"> & { readonly router: { readonly url: URL } },
  name: string,
  options: Partial<ConnectOptions> = {},
): Promise<Side> {
  const path = await NetworkPath.to(realm.router.url);
  const statuses = new StatusLog();
  const { onStatus } = statuses;
  const client = await connect(path.url, { name, secret: await realm.secretOf(name), onStatus, ...options });
  statuses.clear();
  return {
    client,
    path,
    statuses,
    [Symbol.asyncDispose]: async () => {
      path.mend();
      await client.close({ deadlineMs: 0 });
      await path[Symbol.asyncDispose]();
    },
  };
}
