// Runs the router as it is deployed, under workerd on this machine: for `npm start`, the demo, tests and benchmarks.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { defaultRealm } from "@messagepasser/protocol";
import { Miniflare } from "miniflare";
import { objectNameOf } from "../src/shards/object-name.ts";

export interface RouterOptions {
  /** 0, the default, asks the system for a free one. */
  readonly port?: number;
  readonly host?: string;
  /**
   * Whether clients talk to the Worker without Miniflare's entrance, which believes headers that say which URL was asked for:
   * past the rules of a proxy. Such a router has no TLS, and can't be evicted while a client that is cut off is sent to.
   * Default: false.
   */
  readonly isDirect?: boolean;
  /** Where state and the router's own secrets are kept; without it they vanish with the router. */
  readonly stateDirectory?: string;
  /** Serves wss with this key and certificate, in PEM. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** How many wrong secrets there may be for a name or from an address. Default: any number, as all come from here. */
  readonly failuresPerMinute?: number;
  /** How many links and tickets a client may have in ten seconds; `Infinity` for any number. Default: 200, as deployed. */
  readonly connectsPer10s?: number;
  /** Variables of wrangler.toml, as MP_ORIGINS. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Another Worker than the deployed one, as `bundledWorker` makes it. */
  readonly worker?: string;
}

export interface Router extends AsyncDisposable {
  /** As in "ws://127.0.0.1:8787". */
  readonly url: URL;
  readonly adminToken: string;
  /**
   * Takes an object of the realm "default" out of memory, as the runtime does after ten idle seconds: with its links, or not.
   *
   * @param shard of the realm. Default: 0, which is the only one of most realms.
   */
  evict(links: "hibernate" | "close", shard?: number): Promise<void>;
}

const loopback = "127.0.0.1";

/** What wrangler.toml says too: a test compares them. */
const name = "messagepasser";
export const compatibility = { compatibilityDate: "2026-11-01", compatibilityFlags: ["no_web_socket_compression"] };

export const connectsPer10s = 200;

export async function startRouter(options: RouterOptions = {}): Promise<Router> {
  const { isDirect = false, connectsPer10s: connects = connectsPer10s } = options;
  const { adminToken, pepper } = ownSecrets(options.stateDirectory);
  const miniflare = new Miniflare({
    host: (isDirect ? undefined : options.host) ?? loopback,
    port: (isDirect ? undefined : options.port) ?? 0,
    ...(options.tls && { https: true, httpsKey: options.tls.key, httpsCert: options.tls.certificate }),
    ...(options.stateDirectory !== undefined && { resourcePersistencePath: join(options.stateDirectory, "state") }),
    workers: [
      {
        ...(isDirect && {
          dev: { unsafeDirectSockets: [{ host: options.host ?? loopback, port: options.port ?? 0 }] },
        }),
        config: {
          name,
          ...compatibility,
          manifest: {
            mainModule: "worker.js",
            modules: { "worker.js": { type: "esm", contents: options.worker ?? (await bundledWorker()) } },
          },
          env: {
            ROUTER: { type: "durable-object", worker: name, exportName: "RouterObject" },
            CREDENTIALS: { type: "kv", id: "CREDENTIALS" },
            ...(options.failuresPerMinute !== undefined && {
              FAILURES: rateLimit("1001", options.failuresPerMinute, 60),
            }),
            ...(connects !== Infinity && { CONNECTS: rateLimit("1002", connects, 10) }),
            MP_ADMIN_TOKEN: { type: "text", value: adminToken },
            MP_PEPPER: { type: "text", value: pepper },
            ...Object.fromEntries(
              Object.entries(options.variables ?? {}).map(([variable, value]) => [
                variable,
                { type: "text", value } as const,
              ]),
            ),
          },
          exports: { RouterObject: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  const ready = await miniflare.ready;
  const url = isDirect ? await miniflare.unsafeGetDirectURL(name) : ready;
  url.protocol = url.protocol.replace(/^http/, "ws");
  const evict: Router["evict"] = (webSockets, shard = 0) =>
    miniflare.unsafeEvictDurableObject(name, "RouterObject", { name: objectNameOf(defaultRealm, shard), webSockets });
  return { url, adminToken, evict, [Symbol.asyncDispose]: () => miniflare.dispose() };
}

function rateLimit(namespace: string, limit: number, period: 10 | 60) {
  return { type: "rate-limit", namespace, simple: { limit, period } } as const;
}

/**
 * A Worker as one module, as `wrangler deploy` would send it.
 *
 * @param file its source; by default the router's.
 * @param alias modules to take instead of others, by what they are imported as.
 */
export async function bundledWorker(
  file = join(import.meta.dirname, "..", "src", "worker.ts"),
  alias: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    plugins: [
      {
        name: "alias",
        setup: ({ onResolve }) => {
          onResolve({ filter: /./ }, ({ path }) => (path in alias ? { path: alias[path] ?? "" } : undefined));
        },
      },
    ],
    logLevel: "warning",
  });
  return outputFiles[0]?.text ?? "";
}

function ownSecrets(stateDirectory: string | undefined): { adminToken: string; pepper: string } {
  const fresh = { adminToken: randomBytes(32).toString("base64url"), pepper: randomBytes(32).toString("base64url") };
  if (stateDirectory === undefined) return fresh;
  const file = join(stateDirectory, "secrets.json");
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  // Another user's secrets and state would be theirs to use.
  checkOwner(stateDirectory, 0o022, "can be written to by others");
  for (const path of [resolve(stateDirectory), realpathSync(stateDirectory)]) checkWay(path);
  const state = join(stateDirectory, "state");
  if (existsSync(state))
    for (const path of ["", ...readdirSync(state, { recursive: true, encoding: "utf8" })])
      checkOwner(join(state, path), 0, "");
  try {
    // "wx" fails if the file is there: then an earlier run wrote it.
    writeFileSync(file, `${JSON.stringify(fresh, null, 2)}\n`, { mode: 0o600, flag: "wx" });
    return fresh;
  } catch {
    checkOwner(file, 0o077, "can be read by others");
    return readSecrets(file);
  }
}

/** @param forbidden bits of its mode that it must not have @throws Error that names the file or folder */
function checkOwner(path: string, forbidden: number, what: string): void {
  const own = process.getuid?.();
  // Windows has no such owners and modes.
  if (own === undefined) return;
  const { uid, mode } = statSync(path);
  if (uid !== own)
    throw new Error(`${path} belongs to another user: give it to this one, or choose another with --state`);
  if ((mode & forbidden) !== 0) throw new Error(`${path} ${what}: take that right away with chmod go-rwx`);
}

/** Checks that no other user can put another folder in place of this one. @throws Error that names a folder above it */
function checkWay(path: string): void {
  if (process.getuid === undefined) return;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const { mode } = statSync(folder);
    const [isOpen, isSticky] = [(mode & 0o002) !== 0, (mode & 0o1000) !== 0];
    if (isOpen && !isSticky)
      throw new Error(
        `${folder} can be written to by others: take that right away with chmod o-w, or set it with chmod +t`,
      );
  }
}

/** What an earlier run wrote. @throws Error that names the file */
function readSecrets(file: string): { adminToken: string; pepper: string } {
  let secrets: unknown;
  try {
    secrets = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // Told below, as everything else that is not what it should be.
  }
  const { adminToken, pepper } = Object(secrets) as { adminToken: unknown; pepper: unknown };
  if (isLong(adminToken) && isLong(pepper)) return { adminToken, pepper };
  throw new Error(
    `Cannot read the router's own secrets in ${file}, of at least ${minSecretLength} characters: remove it to have new ones`,
  );
}

/** A secret of a router has more. */
const minSecretLength = 32;

function isLong(secret: unknown): secret is string {
  return typeof secret === "string" && secret.trim().length >= minSecretLength;
}
