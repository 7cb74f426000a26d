import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect as connectTcp, isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { ask } from "../http.ts";
import { nameOf, type ProxyAgent } from "../proxy/agent.ts";
import { hostOf, portOf, type Proxy } from "../proxy/environment.ts";
import { reasonOf } from "../reason.ts";
import type { RouterSettings, Way } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import type { Finding } from "./examination.ts";

/** Where the router is, and the way there. */
export type Destination = Pick<RouterSettings, "url" | "agent" | "headers">;

// The checks of the network between this machine and the router. Each needs the one before. If there is a proxy, the first
// two are about the proxy.

/** Whether the host of a URL is an address. */
export function hasAddress(url: URL): boolean {
  return isIP(hostOf(url)) !== 0;
}

/** Looks up the name of the host that this machine connects to. @param setting where the host is set, as "the URL" */
export async function checkName(url: URL, setting: string): Promise<Finding> {
  const host = hostOf(url);
  const startMs = performance.now();
  try {
    const addresses = await lookup(host, { all: true });
    return timed(startMs, addresses.map(({ address }) => address).join(", "));
  } catch (error) {
    const what = codeOf(error) === "EAI_AGAIN" ? "No name server answered for" : "The name servers don't know";
    throw unreachable(`${what} "${host}": check the spelling of ${setting}, and whether this machine is online`, error);
  }
}

/** Connects to the port of the router, or of the proxy. @param what as "the router" */
export async function checkTcp(url: URL, what: string, signal: AbortSignal): Promise<Finding> {
  const [host, port] = [hostOf(url), portOf(url)];
  const startMs = performance.now();
  const socket = connectTcp({ host, port, signal });
  try {
    await opened(socket, "connect");
    return timed(startMs, `port ${port} of ${socket.remoteAddress ?? host}`);
  } catch (error) {
    if (signal.aborted) {
      const remedy = "check the port, and whether a firewall blocks it";
      throw unreachable(`${url.host} did not answer: ${remedy}`, error);
    }
    const remedy =
      codeOf(error) === "ECONNREFUSED" ? `Nothing listens there: check that ${what} is running and` : "Check";
    throw unreachable(
      `Cannot connect to port ${port} of ${host} (${reasonOf(error)}). ${remedy} that the port is right`,
      error,
    );
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
    throw unreachable(reasonOf(error), error);
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
    throw unreachable(`The TLS handshake with ${url.host} failed: ${tlsReason(error)}`, error);
  } finally {
    request.on("error", () => undefined).destroy();
  }
}

/** The host and port of a proxy, as a URL of this module. */
export function proxyUrlOf({ url }: Proxy): URL {
  const isSocks = url.protocol.startsWith("socks");
  return new URL(`ws://${url.hostname}:${url.port || (isSocks ? 1_080 : url.protocol === "https:" ? 443 : 80)}`);
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
    throw unreachable(`Cannot get ${shown(page)}: ${reasonOf(error)}`, error);
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

function tlsReason(error: unknown): string {
  switch (codeOf(error)) {
    case "CERT_HAS_EXPIRED":
      return "its certificate has expired: the router's owner must renew it, or this machine's clock is wrong";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "its certificate is for another name: check the URL";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "no known authority signed its certificate: set NODE_EXTRA_CA_CERTS to a file with the authority's certificate";
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "EPROTO":
      return "the port has no TLS: should the URL begin with ws://?";
    default:
      return reasonOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
