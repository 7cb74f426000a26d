import { expect, test } from "vitest";
import { Failure } from "../status.ts";
import { routeTo } from "./environment.ts";

const wss = "wss://router.example.com";

/** The proxy for a URL, or the kind of the route without one. */
function routed(url: string, environment: Record<string, string>): string {
  const route = routeTo(new URL(url), environment);
  return route.kind === "proxy" ? `${route.proxy.variable} ${route.proxy.url.href}` : route.kind;
}

test.each([
  [wss, {}, "direct"],
  [wss, { HTTPS_PROXY: "http://a:1" }, "HTTPS_PROXY http://a:1/"],
  [wss, { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:1" }, "https_proxy http://b:1/"],
  [wss, { HTTP_PROXY: "http://a:1" }, "direct"],
  ["ws://router.example.com", { HTTPS_PROXY: "http://a:1" }, "direct"],
  ["ws://router.example.com", { HTTP_PROXY: "http://a:1" }, "HTTP_PROXY http://a:1/"],
  [wss, { ALL_PROXY: "socks5://a" }, "ALL_PROXY socks5://a"],
  [wss, { all_proxy: "socks5h://a", https_proxy: "a:3128" }, "https_proxy http://a:3128/"],
  [wss, { https_proxy: "", HTTPS_PROXY: " http://u:p%40@a:1 " }, "HTTPS_PROXY http://u:p%40@a:1/"],
  [wss, { https_proxy: "[::1]:3128" }, "https_proxy http://[::1]:3128/"],
  [wss, { no_proxy: "*" }, "direct"],
] as [string, Record<string, string>, string][])("the way to %s with %o is %s", (url, environment, route) => {
  expect(routed(url, environment)).toBe(route);
});

test.each([
  [wss, "*"],
  [wss, "router.example.com"],
  [wss, "other.org,ROUTER.example.com"],
  [wss, "example.com"],
  [wss, ".example.com"],
  [wss, "*.example.com"],
  [wss, "  a.org  , com. b.org"],
  [wss, "router.example.com:443"],
  ["wss://router.example.com.", "example.com"],
  ["wss://10.1.2.3:8787", "10.0.0.0/8"],
  ["wss://10.1.2.3:8787", "10.1.2.3"],
  ["wss://10.1.2.3:8787", "10.1.2.3:8787"],
  ["wss://[fd00::1]", "fd00::1"],
  ["wss://[fd00::1]", "[fd00::1]"],
  ["wss://[fd00::1]:8787", "[fd00:0::1]:8787"],
  ["wss://[fd00::1]", "fd00::/8"],
])("the way to %s is direct if NO_PROXY is %o", (url, list) => {
  for (const variable of ["NO_PROXY", "no_proxy"])
    expect(routed(url, { ALL_PROXY: "http://a:1", [variable]: list })).toBe("excepted");
});

test.each([
  [wss, ""],
  [wss, "xample.com"],
  [wss, "sub.router.example.com"],
  [wss, "router.example.com:8787"],
  [wss, "., ,*x"],
  [wss, "0.0.0.0/0"],
  ["wss://10.1.2.3:8787", "11.0.0.0/8"],
  ["wss://10.1.2.3:8787", "2.3"],
  ["wss://10.1.2.3:8787", "10.0.0.0/99"],
  ["wss://10.1.2.3:8787", "10.1.2.3/"],
  ["wss://10.1.2.3:8787", "::/0"],
  ["wss://[fd00::1]", "fe80::/10"],
])("the way to %s leads through the proxy if NO_PROXY is %o", (url, list) => {
  expect(routed(url, { ALL_PROXY: "http://a:1", NO_PROXY: list })).toBe("ALL_PROXY http://a:1/");
});

test("NO_PROXY in lower case comes before the one in upper case", () => {
  const both = { ALL_PROXY: "http://a:1", no_proxy: "other.org", NO_PROXY: "*" };
  expect(routed(wss, both)).toBe("ALL_PROXY http://a:1/");
});

test.each([
  ["http://", "HTTPS_PROXY is no URL of a proxy"],
  ["http://olga:hush@:99999", "HTTPS_PROXY is no URL of a proxy"],
  ["ftp://olga:hush@a", "HTTPS_PROXY begins with ftp://, and mp knows only http://, https://, socks://"],
  ["http://u%4:0p@a", "HTTPS_PROXY has a user or a password with a % that stands for nothing"],
  ["http://u%C3:%A9p@a", "HTTPS_PROXY has a user or a password with a % that stands for nothing"],
  ["http://olga:%hush@a", "HTTPS_PROXY has a user or a password with a % that stands for nothing"],
])("HTTPS_PROXY=%s is refused, and no password in it is repeated", (value, sentence) => {
  expect(() => routed(wss, { HTTPS_PROXY: value })).toThrow(Failure);
  expect(() => routed(wss, { HTTPS_PROXY: value })).toThrow(sentence);
  expect(() => routed(wss, { HTTPS_PROXY: value })).not.toThrow(/hush/);
});
