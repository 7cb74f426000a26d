// Agents that open connections through a proxy. Every failure on the way to the proxy, and every refusal of it, becomes a
// sentence that names the proxy: else a proxy's answer would look like one of the router.
import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { networkReason } from "@messagepasser/protocol";
import { HttpsProxyAgent } from "https-proxy-agent";
import { SocksProxyAgent } from "socks-proxy-agent";
import { hostOf, type Proxy, proxyTarget, routeTo } from "./environment.ts";
import { reasonOf } from "../status.ts";

/** An agent that opens every connection through its proxy. */
export type ProxyAgent = HttpTunnel | SocksTunnel;

/** Where a connection is to lead. */
interface Target {
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
}

type HttpOptions = Parameters<HttpsProxyAgent<string>["connect"]>[1];
type SocksOptions = Parameters<SocksProxyAgent["connect"]>[1];

const around = "if the router needs no proxy, name its host in NO_PROXY";

/** How long a proxy may take for a connection. Less than the client waits for the router. */
const answerWithinMs = 8_000;

/** The agent for a router that the environment has a proxy for. Spread it into the settings. */
export function agentFor(url: URL): { readonly agent?: ProxyAgent } {
  const route = routeTo(url, process.env);
  if (route.kind !== "proxy") return {};
  const { proxy } = route;
  return { agent: proxy.url.protocol.startsWith("http") ? new HttpTunnel(proxy) : new SocksTunnel(proxy) };
}

/** How a proxy is named in sentences: without the user and the password in its URL. */
export function nameOf({ url, variable }: Proxy): string {
  return `${url.protocol}//${url.host} (${variable})`;
}

/** A proxy that tunnels by the HTTP method CONNECT. */
class HttpTunnel extends HttpsProxyAgent<string> {
  readonly route: Proxy;

  constructor(route: Proxy) {
    super(route.url);
    this.route = route;
  }

  override async connect(request: ClientRequest, options: HttpOptions): Promise<Socket> {
    let refusal: Error | undefined;
    request.once("proxyConnect", (answer: Answer) => {
      if (answer.statusCode !== 200) refusal = new Error(sentenceFor(answer, this.route, options));
    });
    const socket = await within(this.route, (signal) => {
      // Read before the first await of `connect`. A proxy that doesn't answer would keep the socket for ever.
      this.connectOpts = { ...this.connectOpts, signal };
      return super.connect(request, options);
    });
    if (refusal === undefined) return socket;
    socket.destroy();
    throw refusal;
  }
}

/** A SOCKS proxy. */
class SocksTunnel extends SocksProxyAgent {
  readonly route: Proxy;

  constructor(route: Proxy) {
    super(route.url);
    this.route = route;
    // The package leaves an IPv6 address in its brackets, and looks that up as a name.
    this.proxy.host = hostOf(route.url);
  }

  override async connect(request: ClientRequest, options: SocksOptions): Promise<Socket> {
    return await within(this.route, () => super.connect(request, options), options);
  }
}

interface Answer {
  readonly statusCode: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function sentenceFor({ statusCode, statusText, headers }: Answer, proxy: Proxy, { host, port }: Target): string {
  // tinyproxy takes 401 for a wrong password.
  if (statusCode !== 407 && statusCode !== 401) {
    const answer = `${statusCode} ${statusText}`.trim();
    const why = statusCode < 500 ? "its rules may forbid it" : "it may not reach the router";
    return `The proxy ${nameOf(proxy)} answered "${answer}" when it was asked to connect to ${host}:${port}: ${why}; ${around}`;
  }
  const offers = String(headers["proxy-authenticate"] ?? "");
  if (offers !== "" && !/\bbasic\b/i.test(offers))
    return `The proxy ${nameOf(proxy)} wants a sign-in that mp doesn't know ("${offers}"): mp knows only Basic`;
  return refusedPassword(proxy, String(statusCode));
}

function refusedPassword(proxy: Proxy, how: string): string {
  const { url, variable } = proxy;
  if (url.username !== "" || url.password !== "")
    return `The proxy ${nameOf(proxy)} refused the user or the password in ${variable} (${how}): correct them there`;
  const example = `${url.protocol}//USER:PASSWORD@${url.host}`;
  return `The proxy ${nameOf(proxy)} wants a user and a password (${how}): set ${variable} to ${example}`;
}

/** Waits for a proxy to connect. @param target for the sentence about a SOCKS proxy, whose errors don't name it. */
async function within(
  proxy: Proxy,
  connect: (signal: AbortSignal) => Promise<Socket>,
  target: Target = {},
): Promise<Socket> {
  const controller = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`no answer within ${answerWithinMs / 1_000} s`));
    controller.abort();
  }, answerWithinMs);
  const connecting = connect(controller.signal);
  try {
    return await Promise.race([connecting, late.promise]);
  } catch (cause) {
    // It may still succeed after its time.
    void connecting.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
    throw new Error(failureOf(cause, proxy, target), { cause });
  } finally {
    clearTimeout(timer);
  }
}

function failureOf(cause: unknown, proxy: Proxy, { host, port }: Target): string {
  const why = reasonOf(cause);
  if (/authentication (failed|type)/i.test(why)) return refusedPassword(proxy, "SOCKS");
  const [, refusal] = /rejected connection\W+(\w+)/i.exec(why) ?? [];
  if (refusal !== undefined) return `The proxy ${nameOf(proxy)} can't connect to ${host}:${port} (${refusal})`;
  // SOCKS proxies with the scheme "socks5" are given addresses; "socks5h" are given names.
  if (host !== undefined && cause instanceof Error && "hostname" in cause && cause.hostname === host) {
    const remedy = `if only the proxy ${nameOf(proxy)} knows the name, set the scheme socks5h:// there`;
    return `${networkReason(cause, { host, port: port ?? "" })}; ${remedy}`;
  }
  return `Cannot reach the proxy ${nameOf(proxy)}: ${networkReason(cause, proxyTarget(proxy))}; ${around}`;
}
