// The entry for browsers and workerd: no dependencies. node.ts is the one for Node; both export the same names.
import { subprotocols, toBase64url } from "@messagepasser/protocol";
import type { Client } from "./client.ts";
import { type ConnectOptions, connectOn } from "./connect.ts";
import { type Platform, systemClock } from "./link/platform.ts";

export * from "./index.ts";

/**
 * Connects to a router. Resolves once the router has let the client in.
 *
 * @param url the router's address, as in `wss://router.example.com`. Takes `wss:`, `ws:`, `https:` and `http:`.
 * @throws LinkError with a {@link LinkErrorCode}: `unauthorized` if the name or the secret is wrong, `bad-request` if the
 *   router doesn't accept the request, `overloaded` if the router accepts no client now, `unreachable` if nothing answers
 *   in time, or another code with which the router closes links.
 * @throws TypeError if the URL, the name or the realm breaks a rule, or the secret is missing.
 * @throws the signal's reason, if the signal fires first.
 * @example
 * const client = await connect("wss://router.example.com", { name: "alice", secret });
 * client.handle("greeting", async (connection) => connection.send("hello"));
 */
export function connect(url: string | URL, options: ConnectOptions): Promise<Client> {
  return connectOn(platform, url, options);
}

const drainCheckMs = 4;

const platform: Platform = {
  dial(url, subprotocol, { name, secret }, { onMessage, onDrain, onClose }) {
    // A page can't set headers, and URLs end up in logs: the credentials travel as a subprotocol.
    const credentials = new TextEncoder().encode(`${name}:${secret}`);
    const socket = new WebSocket(url, [subprotocol, subprotocols.credentialsPrefix + toBase64url(credentials)]);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer | string>) => {
      onMessage(typeof data === "string" ? data : new Uint8Array(data));
    });
    // A close event follows every error; the error event itself carries no information.
    socket.addEventListener("close", ({ code, reason }) => {
      onClose({ closeCode: code, reason });
    });
    // Browsers have no event for a buffer that drains.
    const watch = (): void =>
      void setTimeout(() => {
        if (socket.bufferedAmount > 0 && socket.readyState === WebSocket.OPEN) watch();
        onDrain();
      }, drainCheckMs);
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      // workerd doesn't copy the bytes that it is given, so `onTaken` is never called.
      send: (message) => {
        const wasEmpty = socket.bufferedAmount === 0;
        socket.send(message);
        if (wasEmpty) watch();
      },
      close: (code, reason) => {
        socket.close(code, reason);
      },
      drop: () => {
        socket.close();
      },
    };
  },
  defer,
  onNetworkChange: (callback) => {
    const stops = [listen("online", callback), listen("offline", callback)];
    return () => {
      for (const stop of stops) stop();
    };
  },
  // A page that is kept in the browser's back/forward cache may return.
  onLeave: (callback) =>
    listen("pagehide", (event) => {
      if (!(event as PageTransitionEvent).persisted) callback();
    }),
  clock: systemClock,
};

/** Does nothing in workerd, which lacks these events. */
function listen(type: string, callback: (event: Event) => void): () => void {
  globalThis.addEventListener?.(type, callback);
  return () => {
    globalThis.removeEventListener?.(type, callback);
  };
}

const callbacks: (() => void)[] = [];
let wake: (() => void) | undefined;

/**
 * A message port runs callbacks after microtasks and, unlike timers, isn't slowed down in a hidden page. It is made when
 * it is first needed: an import has no effects, and works where there is no MessageChannel, as under jsdom.
 */
function defer(callback: () => void): void {
  callbacks.push(callback);
  wake ??= openPort();
  wake();
}

/** @returns a function that has the next callback run. */
function openPort(): () => void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => callbacks.shift()?.();
  // Node, under the condition "browser", would never exit while the port listens; browsers' ports have no `unref`.
  (port1 as { unref?(): void }).unref?.();
  return () => {
    port2.postMessage(undefined);
  };
}
