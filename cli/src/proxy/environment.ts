// Which proxy the variables of the environment name for a URL. The rules are curl's, which most programs follow.
import { BlockList, isIP } from "node:net";
import type { NetworkTarget } from "@messagepasser/protocol";
import { Failure, statuses } from "../status.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A proxy, and where it is set. */
export interface Proxy {
  readonly url: URL;
  /** The variable that names the proxy, as "HTTPS_PROXY". */
  readonly variable: string;
}

/** What the environment says about the way to a router. */
export type Route =
  | { readonly kind: "direct" }
  /** `NO_PROXY` has the router's host, so the proxy is left out. */
  | { readonly kind: "excepted"; readonly variable: string }
  | { readonly kind: "proxy"; readonly proxy: Proxy };

const schemes = ["http:", "https:", "socks:", "socks4:", "socks4a:", "socks5:", "socks5h:"];

/** Ports that a router's URL leaves out. */
const defaultPorts: Readonly<Record<string, string>> = { "ws:": "80", "wss:": "443", "http:": "80", "https:": "443" };

/** The host of a URL as sockets expect it: without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.+)\]$/, "$1");
}

/** The port of a router's URL, or the default port of its scheme. */
export function portOf(url: URL): number {
  return Number(url.port === "" ? defaultPorts[url.protocol] : url.port);
}

/** A router, for sentences about the network. */
export function routerTarget(url: URL): NetworkTarget & { readonly port: number } {
  return { host: hostOf(url), port: portOf(url) };
}

/** A proxy, for sentences about the network, with the port that its agent dials. */
export function proxyTarget({ url, variable }: Proxy): NetworkTarget & { readonly port: number } {
  const defaultPort = url.protocol.startsWith("socks") ? 1_080 : url.protocol === "https:" ? 443 : 80;
  return { host: hostOf(url), port: Number(url.port || defaultPort), who: "the proxy", setting: variable };
}

/**
 * Finds the way to a router. `ws:` goes through `HTTP_PROXY`, `wss:` through `HTTPS_PROXY`, and both else through
 * `ALL_PROXY`. A variable in lower case comes before the same one in upper case.
 *
 * @throws Failure if the variable names no proxy that can be used.
 */
export function routeTo(url: URL, environment: Environment): Route {
  const [variable, text] = set(environment, [url.protocol === "wss:" ? "https_proxy" : "http_proxy", "all_proxy"]);
  if (text === "") return { kind: "direct" };
  const [exception, list] = set(environment, ["no_proxy"]);
  if (isExcepted(url, list)) return { kind: "excepted", variable: exception };
  return { kind: "proxy", proxy: { variable, url: proxyUrl(variable, text) } };
}

/** The first variable that isn't empty, with its value. The value is empty if there is none. */
function set(environment: Environment, variables: readonly string[]): [variable: string, text: string] {
  for (const lower of variables) {
    for (const variable of [lower, lower.toUpperCase()]) {
      const text = environment[variable]?.trim() ?? "";
      if (text !== "") return [variable, text];
    }
  }
  return ["", ""];
}

function proxyUrl(variable: string, text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  // The value may have a password, so it isn't repeated.
  if (url === null || url.hostname === "")
    throw new Failure(
      statuses.usage,
      `${variable} is no URL of a proxy: it must look like http://proxy.example.com:3128`,
    );
  if (!schemes.includes(url.protocol)) {
    const known = schemes.map((scheme) => `${scheme}//`).join(", ");
    throw new Failure(statuses.usage, `${variable} begins with ${url.protocol}//, and mp knows only ${known}`);
  }
  try {
    // Each by itself, as it is read later: together they may be whole where one of them is not.
    for (const part of [url.username, url.password]) decodeURIComponent(part);
  } catch {
    throw new Failure(
      statuses.usage,
      `${variable} has a user or a password with a % that stands for nothing: write %25`,
    );
  }
  return url;
}

/** Whether the list has this host: a name stands for its subdomains too, and a network for its addresses. */
function isExcepted(url: URL, list: string): boolean {
  const host = hostOf(url).toLowerCase().replace(/\.$/, "");
  const port = portOf(url);
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => matches(entry, host, port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "*") return true;
  // Unlike curl, other programs take a port too. An IPv6 address then has brackets; without them it doesn't match here.
  const [, bracketed, plain, ownPort] = /^(?:\[(.+)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  if (ownPort !== undefined && Number(ownPort) !== port) return false;
  const own = (bracketed ?? plain ?? entry).replace(/^\*?\./, "").replace(/\.$/, "");
  if (own === "") return false;
  return isIP(host) === 0 ? host === own || host.endsWith(`.${own}`) : hasAddress(own, host);
}

/** Whether a network, as `10.0.0.0/8`, or a single address has this address. */
function hasAddress(network: string, address: string): boolean {
  const [first = "", bits] = network.split("/");
  const family = isIP(first) === 6 ? "ipv6" : "ipv4";
  const most = family === "ipv6" ? 128 : 32;
  const prefix = bits === undefined ? most : Number(bits || NaN);
  if (isIP(first) === 0 || isIP(first) !== isIP(address) || !(prefix >= 0 && prefix <= most)) return false;
  const list = new BlockList();
  list.addSubnet(first, prefix, family);
  return list.check(address, family);
}
