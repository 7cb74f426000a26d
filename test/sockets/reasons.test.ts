import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { connect } from "messagepasser";
import { generate } from "selfsigned";
import { expect, test } from "vitest";
import { failureOf } from "./realm.ts";

// Why a router can't be reached: the step that failed, the host, and what to do.

const client = { name: "alice", secret: "secret", timeoutMs: 10_000 };

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a port has an address of this kind.
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

async function expectFailure(url: string, ...parts: readonly string[]): Promise<Error> {
  const error = (await failureOf(connect(url, client))) as Error & { readonly code: string };
  expect(error.code).toBe("unreachable");
  for (const part of parts) expect(error.message).toContain(part);
  expect(error.message).not.toMatch(/\n|code 1006/);
  return error;
}

test("a port on which nobody listens is told with its addresses, and the cause is there", async () => {
  const port = await freePort();
  const error = await expectFailure(
    `ws://localhost:${port}`,
    "no TCP connection to ",
    `:${port}, where nothing listens`,
  );
  expect(error.cause).toBeInstanceOf(Error);
});

test("a host that no name server knows is told as such", async () => {
  const error = (await failureOf(connect("ws://no-such-host.invalid", client))) as Error;
  // Without a network, no name server answers.
  expect(error.message).toMatch(/DNS knows no host "no-such-host.invalid"|no DNS server answered/);
});

test("a port without TLS is told as such", async () => {
  const server = createHttpServer((_, response) => response.end("hello"));
  const port = await listening(server);
  await expectFailure(`wss://127.0.0.1:${port}`, `the TLS handshake with 127.0.0.1:${port} failed`, "ws://");
  server.close();
});

test("a certificate that nobody vouches for is told with what to do", async () => {
  const { private: key, cert } = await generate([{ name: "commonName", value: "127.0.0.1" }]);
  const server = createTlsServer({ key, cert });
  server.on("tlsClientError", () => undefined);
  const port = await listening(server);
  await expectFailure(
    `wss://127.0.0.1:${port}`,
    `the TLS handshake with 127.0.0.1:${port} failed`,
    "NODE_EXTRA_CA_CERTS",
  );
  server.close();
});

test("a port with TLS that is taken for one without is told as such", async () => {
  const { private: key, cert } = await generate([{ name: "commonName", value: "127.0.0.1" }]);
  const server = createTlsServer({ key, cert });
  server.on("tlsClientError", () => undefined);
  const port = await listening(server);
  await expectFailure(`ws://127.0.0.1:${port}`, `127.0.0.1:${port}`, "wss://");
  server.close();
});

test.each([
  [200, {}, "check the host and the path of the URL"],
  [302, { location: "https://portal.example/" }, "a redirect to https://portal.example/"],
  [403, {}, "may want a sign-in"],
  [502, {}, "away for now"],
])("another site that answers with status %i is told to be no router", async (status, headers, remedy) => {
  const server = createHttpServer();
  server.on("upgrade", (_, socket) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} Words\r\n${lines.join("")}content-length: 0\r\nconnection: close\r\n\r\n`);
  });
  const port = await listening(server);
  await expectFailure(
    `http://127.0.0.1:${port}`,
    `the server answered "${status} Words"`,
    "no answer of a router",
    remedy,
  );
  server.close();
});

test("a server that hangs up without an answer is told as such", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.destroy());
  });
  const port = await listening(server);
  await expectFailure(`ws://127.0.0.1:${port}`, `127.0.0.1:${port} ended the TCP connection without an answer`);
  server.close();
});
