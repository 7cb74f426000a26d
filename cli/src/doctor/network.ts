import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Failure, statuses } from "../status.ts";
import type { Finding } from "./examination.ts";

// The checks of the network between this machine and the router. Each needs the one before.

/** The host of a URL as sockets expect it: without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.+)\]$/, "$1");
}

/** The port of a URL, or the default port of its scheme. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "wss:" ? 443 : 80) : Number(url.port);
}

/** Whether the host of a URL is an address. */
export function hasAddress(url: URL): boolean {
  return isIP(hostOf(url)) !== 0;
}

/** Looks up the router's host name. */
export async function checkName(url: URL): Promise<Finding> {
  const host = hostOf(url);
  const startMs = performance.now();
  try {
    const addresses = await lookup(host, { all: true });
    return timed(startMs, addresses.map(({ address }) => address).join(", "));
  } catch (error) {
    const what = codeOf(error) === "EAI_AGAIN" ? "No name server answered for" : "The name servers don't know";
    throw unreachable(`${what} "${host}": check the spelling of the URL, and whether this machine is online`, error);
  }
}

/** Connects to the router's port. */
export async function checkTcp(url: URL, signal: AbortSignal): Promise<Finding> {
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
      codeOf(error) === "ECONNREFUSED" ? "Nothing listens there: check that the router is running and" : "Check";
    throw unreachable(
      `Cannot connect to port ${port} of ${host} (${reasonOf(error)}). ${remedy} that the port is right`,
      error,
    );
  } finally {
    socket.destroy();
  }
}

/** Makes a TLS handshake with the router, and reads its certificate. */
export async function checkTls(url: URL, signal: AbortSignal): Promise<Finding> {
  const [host, port] = [hostOf(url), portOf(url)];
  const startMs = performance.now();
  const socket: TLSSocket = connectTls({
    host,
    port,
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ["http/1.1"],
  });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  try {
    await opened(socket, "secureConnect");
    const { valid_to: validTo } = socket.getPeerCertificate();
    return timed(startMs, `${socket.getProtocol() ?? "TLS"}, certificate valid until ${validTo}`);
  } catch (error) {
    throw unreachable(`The TLS handshake with ${url.host} failed: ${tlsReason(error)}`, error);
  } finally {
    socket.destroy();
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
export async function checkHealth(url: URL, signal: AbortSignal): Promise<Finding> {
  const startMs = performance.now();
  const answer = await pageContent(pageOf(url, "health"), signal);
  if (answer.get("status") !== "ok") throw noRouter(pageOf(url, "health"), "with other JSON than a router's");
  return timed(startMs, "ok");
}

/** The router's version and formats. */
export interface RouterVersion {
  readonly version: string;
  readonly formats: readonly string[];
}

/** Asks the router for its version. */
export async function routerVersion(url: URL, signal: AbortSignal): Promise<RouterVersion> {
  const page = pageOf(url, "version");
  const answer = await pageContent(page, signal);
  const [version, formats] = [answer.get("version"), answer.get("formats")];
  if (typeof version !== "string" || !Array.isArray(formats)) throw noRouter(page, "with other JSON than a router's");
  return { version, formats: formats.map(String) };
}

async function pageContent(page: URL, signal: AbortSignal): Promise<ReadonlyMap<string, unknown>> {
  const response = await fetch(page, { redirect: "manual", signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw unreachable(`Cannot get ${page.href}: ${reasonOf(error)}`, error);
  });
  const to = response.headers.get("location");
  if (to !== null) throw noRouter(page, `with a redirect to ${to}: use that URL if it is the router's`);
  if (!response.ok) throw noRouter(page, `with HTTP status ${response.status}`);
  try {
    return new Map<string, unknown>(Object.entries(Object(await response.json()) as object));
  } catch {
    throw noRouter(page, "without JSON");
  }
}

function noRouter(page: URL, how: string): Failure {
  const sentence = `${page.origin} is not a MessagePasser router, or something between here and the router answers instead`;
  return new Failure(statuses.unreachable, `${sentence}: ${page.href} was answered ${how}. Check the URL`);
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

/** The reason of an error. `fetch`, and a connection to a name with many addresses, tell it only in their causes. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [first] = error instanceof AggregateError ? error.errors : [error.cause];
  return first === undefined ? error.message : reasonOf(first);
}
