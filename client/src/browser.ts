// The entry for browsers and workerd: no dependencies. node.ts is the one for Node; both export the same names.
import { fieldsOf, toBase64 } from "@messagepasser/protocol";
import type { Client } from "./client.ts";
import { unseen } from "./errors.ts";
import { type ConnectOptions, connectOn } from "./connect.ts";
import { type Credentials, type Platform, type SocketEnd, systemClock } from "./link/platform.ts";
import { refusalIn } from "./link/refusal.ts";

export * from "./index.ts";

/**
 * Connects to a router. Resolves once the router has let the client in.
 *
 * @param url the router's address, as in `wss://router.example.com`. Takes `wss:`, `ws:`, `https:` and `http:`.
 * @throws LinkError with a {@link LinkErrorCode}: `unauthorized` if the name or the secret is wrong, `bad-request` if the
 *   router doesn't accept the request, `overloaded` if the router accepts no client now, `no-secret` if the function for
 *   the secret fails, `unreachable` if nothing answers in time, or another code with which the router closes links.
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
  dial(url, subprotocol, credentials, { onMessage, onDrain, onClose }) {
    const giveUp = new AbortController();
    let socket: WebSocket | undefined;
    const open = (ticket: string): void => {
      socket = new WebSocket(url, [subprotocol, ticket]);
      socket.binaryType = "arraybuffer";
      socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer | string>) => {
        onMessage(typeof data === "string" ? data : new Uint8Array(data));
      });
      // A close event follows every error; the error event itself carries no information.
      socket.addEventListener("close", ({ code, reason }) => {
        onClose({ closeCode: code, reason });
      });
    };
    void ticketFor(url, credentials, giveUp.signal).then((answer) => {
      if (typeof answer !== "string") {
        onClose(answer);
        return;
      }
      try {
        open(answer);
      } catch (error) {
        // The page's policy may forbid the socket, or something on the way has made up the ticket.
        onClose({ closeCode: 1006, reason: String(error), cause: error });
      }
    });
    // Browsers have no event for a buffer that drains.
    const watch = (): void =>
      void setTimeout(() => {
        if (bufferedBytes() > 0 && socket?.readyState === WebSocket.OPEN) watch();
        onDrain();
      }, drainCheckMs);
    const bufferedBytes = (): number => socket?.bufferedAmount ?? 0;
    return {
      get bufferedBytes() {
        return bufferedBytes();
      },
      // workerd doesn't copy the bytes that it is given, so `onTaken` is never called.
      send: (message) => {
        const wasEmpty = bufferedBytes() === 0;
        socket?.send(message);
        if (wasEmpty) watch();
      },
      close: (code, reason) => {
        giveUp.abort();
        socket?.close(code, reason);
      },
      drop: () => {
        giveUp.abort();
        socket?.close();
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

/**
 * Gets a ticket. A page can set no header with an upgrade, and URLs and subprotocols end up in logs. So the secret goes
 * where a header can be set, and the upgrade has a ticket, which is good for one link within seconds.
 *
 * @returns the ticket, or why there is none. Never rejects.
 */
async function ticketFor(
  { href }: URL,
  { name, secret }: Credentials,
  signal: AbortSignal,
): Promise<string | SocketEnd> {
  try {
    const response = await fetch(href.replace(/^ws/, "http").replace(/\/connect(?=\/[^/?]*\?)/, "/ticket"), {
      method: "POST",
      // A redirect would take the secret elsewhere.
      redirect: "manual",
      headers: { authorization: `Basic ${toBase64(new TextEncoder().encode(`${name}:${secret}`))}` },
      signal,
    });
    const body = await beginningOf(response);
    signal.throwIfAborted();
    const { ticket } = response.ok ? fieldsOf(body) : {};
    if (typeof ticket === "string") return ticket;
    // Pages see nothing of a redirect, not even its status.
    const status = `${response.status || "a redirect"} ${response.statusText}`.trim();
    return refusalIn(status, (header) => response.headers.get(header), body);
  } catch (error) {
    return { closeCode: 1006, reason: `${String(error)}: ${unseen}`, cause: error };
  }
}

/** The first 4,096 bytes or so: the router says no more, and something else's answer may have no end. */
async function beginningOf({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let part; text.length < 4_096 && (part = (await reader?.read())?.value);)
    text += decoder.decode(part, { stream: true });
  void reader?.cancel().catch(() => undefined);
  return text;
}

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
 * it is first needed, so that an import has no effects. A timer does where there is no MessageChannel, as under jsdom.
 */
function defer(callback: () => void): void {
  callbacks.push(callback);
  wake ??= openPort();
  wake();
}

/** @returns a function that has the next callback run. */
function openPort(): () => void {
  if (typeof MessageChannel === "undefined") return () => setTimeout(() => callbacks.shift()?.());
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => callbacks.shift()?.();
  // Node, under the condition "browser", would never exit while the port listens; browsers' ports have no `unref`.
  (port1 as { unref?(): void }).unref?.();
  return () => {
    port2.postMessage(undefined);
  };
}
