import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect as connectTcp } from "node:net";
import type { TLSSocket } from "node:tls";
import { networkReason, type NetworkTarget } from "@messagepasser/protocol";
import { ask } from "../http.ts";
import { nameOf, type ProxyAgent } from "../proxy/agent.ts";
import { hostOf, portOf, proxyTarget, routerTarget } from "../proxy/environment.ts";
import type { RouterSettings, Way } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import type { Finding } from "./examination.ts";

/** Where the router is, and the way there. */
export type Destination = Pick<RouterSettings, "url" | "agent" | "headers">;

// The checks of the network between this machine and the router. Each needs the one before. If there is a proxy, the first
// two are about the proxy.

type Hop = ReturnType<typeof proxyTarget>;

/** The host that this machine connects to: the proxy's, or the router's. */
export function firstHop({ url, agent }: Destination): Hop {
  return agent === undefined ? routerTarget(url) : proxyTarget(agent.route);
}

/** Looks up the name of a host. */
export async function checkName(target: NetworkTarget): Promise<Finding> {
  const startMs = performance.now();
  try {
    const addresses = await lookup(target.host, { all: true });
    return timed(startMs, addresses.map(({ address }) => address).join(", "));
  } catch (error) {
    throw unreachable(networkReason(error, target), error);
  }
}

/** Connects to the port of a host. */
export async function checkTcp(target: Hop, signal: AbortSignal): Promise<Finding> {
  const { host, port } = target;
  const startMs = performance.now();
  const socket = connectTcp({ host, port, signal });
  try {
    await opened(socket, "connect");
    return timed(startMs, `port ${port} of ${socket.remoteAddress ?? host}`);
  } catch (error) {
    if (!signal.aborted) throw unreachable(networkReason(error, target), error);
    const remedy = "check the port, and whether a firewall blocks it";
    throw unreachable(`port ${port} of ${host} did not answer: ${remedy}`, error);
  } finally {
    socket.destroy();
  }
}

/** Has the proxy connect to the router. */
export async function checkProxy(url: URL, agent: ProxyAgent, signal: AbortSignal): Promise<Finding> {
  const startMs = performance.now();
  const request = requestHttp({ host: hostOf(url), port: portOf(url), agent, signal });
  try {
    await once(request, "socket");
    return timed(startMs, `${nameOf(agent.route)} connects to ${hostOf(url)}:${portOf(url)}`);
  } catch (error) {
    throw unreachable(networkReason(error, routerTarget(url)), error);
  } finally {
    request.on("error", () => undefined).destroy();
  }
}

/** Makes a TLS handshake with the router, and reads its certificate. */
export async function checkTls({ url, agent }: Destination, signal: AbortSignal): Promise<Finding> {
  const startMs = performance.now();
  // A request that is never sent: it connects as the client does, through the proxy too.
  const request = requestHttps(pageOf(url, "health"), {
    signal,
    ...(agent === undefined ? { agent: false } : { agent }),
  });
  try {
    // A request over https has a socket of this kind.
    const [socket] = (await once(request, "socket")) as [TLSSocket];
    await opened(socket, "secureConnect");
    const { valid_to: validTo } = socket.getPeerCertificate();
    return timed(startMs, `${socket.getProtocol() ?? "TLS"}, certificate valid until ${validTo}`);
  } catch (error) {
    throw unreachable(networkReason(error, routerTarget(url)), error);
  } finally {
    request.on("error", () => undefined).destroy();
  }
}

/** The URL of a page of the router. */
export function pageOf(url: URL, page: string): URL {
  const address = new URL(url);
  address.protocol = url.protocol.replace(/^ws/, "http");
  address.pathname = `${url.pathname.replace(/\/$/, "")}/${page}`;
  return address;
}

/** Asks the router for its health. */
export async function checkHealth(to: Destination, signal: AbortSignal): Promise<Finding> {
  const startMs = performance.now();
  const page = pageOf(to.url, "health");
  const answer = await pageContent(page, to, signal);
  if (answer.get("status") !== "ok") throw noRouter(page, "with other JSON than a router's");
  return timed(startMs, "ok");
}

/** The router's version and formats. */
export interface RouterVersion {
  readonly version: string;
  readonly formats: readonly string[];
}

/** Asks the router for its version. */
export async function routerVersion(to: Destination, signal: AbortSignal): Promise<RouterVersion> {
  const page = pageOf(to.url, "version");
  const answer = await pageContent(page, to, signal);
  const [version, formats] = [answer.get("version"), answer.get("formats")];
  if (typeof version !== "string" || !Array.isArray(formats)) throw noRouter(page, "with other JSON than a router's");
  return { version, formats: formats.map(String) };
}

async function pageContent(
  page: URL,
  { agent, headers = {} }: Way,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, unknown>> {
  const { status, location, text } = await ask(page, { agent, headers, signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw unreachable(`Cannot get ${shown(page)}: ${networkReason(error, routerTarget(page))}`, error);
  });
  if (location !== undefined)
    throw noRouter(page, `with a redirect to ${location}: use that URL if it is the router's`);
  if (status < 200 || status > 299) throw noRouter(page, `with HTTP status ${status}`);
  try {
    return new Map<string, unknown>(Object.entries(Object(JSON.parse(text)) as object));
  } catch {
    throw noRouter(page, "without JSON");
  }
}

function noRouter(page: URL, how: string): Failure {
  const sentence = `${page.origin} is not a MessagePasser router, or something between here and the router answers instead`;
  return new Failure(statuses.unreachable, `${sentence}: ${shown(page)} was answered ${how}. Check the URL`);
}

/** A URL without its query, which may have a gate's token. */
export function shown({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}

function opened(socket: ReturnType<typeof connectTcp>, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("error", reject);
    socket.once("close", () => {
      reject(new Error("the connection was closed"));
    });
  });
}

function timed(startMs: number, detail: string): Finding {
  const value = performance.now() - startMs;
  return { detail: `${detail}, in ${value.toFixed(1)} ms`, value, unit: "ms" };
}

function unreachable(sentence: string, cause: unknown): Failure {
  return new Failure(statuses.unreachable, sentence, { cause });
}
