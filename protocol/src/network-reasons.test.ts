import { expect, test } from "vitest";
import { foreignAnswer, networkReason } from "./network-reasons.ts";

const target = { host: "router.example", port: 443 };

function failed(code: string, fields: object = {}, message = "native words"): Error {
  return Object.assign(new Error(message), { code, ...fields });
}

test.each([
  ["ENOTFOUND", 'DNS knows no host "router.example": check'],
  ["EAI_AGAIN", 'no DNS server answered for "router.example": check'],
  ["ECONNREFUSED", "no TCP connection to router.example:443, where nothing listens: check that the router is running"],
  ["EHOSTUNREACH", "no TCP connection to router.example:443: check the network"],
  ["ECONNRESET", "router.example:443 ended the TCP connection without an answer: check the port"],
  ["CERT_HAS_EXPIRED", "the TLS handshake with router.example:443 failed: its certificate has expired"],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "the TLS handshake with router.example:443 failed: its certificate is for another name",
  ],
  ["SELF_SIGNED_CERT_IN_CHAIN", "set NODE_EXTRA_CA_CERTS"],
  ["HPE_INVALID_CONSTANT", "what router.example:443 answered is no HTTP: check the port"],
])("a failure with the code %s names its step, the host and what to do", (code, sentence) => {
  expect(networkReason(failed(code), target)).toContain(sentence);
  expect(networkReason(failed(code), target).endsWith(` (${code})`)).toBe(true);
});

const openssl = (reason: string): string =>
  `write EPROTO 80A8:error:0A00:SSL routines:ssl3_read_bytes:${reason}:../record.c:1:\n`;

test.each([
  ["EPROTO", openssl("wrong version number")],
  ["EPROTO", openssl("packet length too long")],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "native words"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "native words"],
])("a port that answers a TLS handshake with %s and %j speaks no TLS", (code, message) => {
  expect(networkReason(failed(code, {}, message), target)).toContain(
    "the TLS handshake with router.example:443 failed: the port speaks no TLS: should the URL begin with ws://",
  );
});

test.each([
  ["EPROTO", openssl("tlsv1 alert protocol version")],
  ["EPROTO", openssl("unsupported protocol")],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "native words"],
])("a port that answers a TLS handshake with %s and %j has another version of TLS", (code, message) => {
  const reason = networkReason(failed(code, {}, message), target);
  expect(reason).toContain("other versions of TLS");
  expect(reason).not.toContain("ws://");
});

test("a TLS handshake that fails in another way is told in OpenSSL's words, in one line", () => {
  const reason = networkReason(failed("EPROTO", {}, openssl("sslv3 alert handshake failure")), target);
  expect(reason).toMatch(/^the TLS handshake with router.example:443 failed: .*alert handshake failure/);
  expect(reason).not.toMatch(/\n|no TLS|ws:/);
});

test("the reasons of a name with several addresses are joined, and say once what to do", () => {
  const error = new AggregateError([
    failed("ECONNREFUSED", { address: "127.0.0.1", port: 8787 }),
    failed("ECONNREFUSED", { address: "::1", port: 8787 }),
  ]);
  expect(networkReason(error, target)).toBe(
    "no TCP connection to 127.0.0.1:8787, where nothing listens; no TCP connection to [::1]:8787, where nothing listens" +
      ": check that the router is running and that the port is right (ECONNREFUSED)",
  );
});

test("the host of a URL that is an IPv6 address has one pair of brackets", () => {
  expect(networkReason(failed("ECONNREFUSED"), { host: "[::1]", port: 80 })).toContain("connection to [::1]:80,");
});

test("a failure that has no sentence of its own is told in its own words, in one line", () => {
  expect(networkReason(failed("ERR_OTHER", {}, "80A8:error:0A0000\n"), target)).toBe("80A8:error:0A0000");
  expect(networkReason(failed("ERR_OTHER", {}, ""), target)).toBe("ERR_OTHER");
  expect(networkReason("a string", target)).toBe("a string");
});

test.each([
  [302, "https://portal.example/", "but a redirect to https://portal.example/: use that URL if it is the router's"],
  [403, undefined, "a gate or a proxy on the way may want a sign-in"],
  [404, undefined, "check the host and the path of the URL"],
  [502, undefined, "which may be away for now"],
])("an answer of something else with status %i says what to do", (status, location, remedy) => {
  const sentence = foreignAnswer(`${status} Words`, location);
  expect(sentence).toMatch(`the server answered "${status} Words", which is no answer of a router`);
  expect(sentence).toContain(remedy);
});
