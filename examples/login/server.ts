// A web application with a login of its own. It signs a token for each user: the router knows the key, and no users.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";

const { MP_URL: url = "ws://127.0.0.1:8787", MP_TOKEN_KEY = "", PORT: port = "8080" } = process.env;
const key = new TextEncoder().encode(MP_TOKEN_KEY);
/** The id under which "mp key add" added the key. */
const keyId = "shop";

/** An application keeps its users in a database, and hashes of their passwords. */
const passwords = new Map([["ann", "correct horse"]]);
/** Users by their cookies. */
const sessions = new Map<string, string>();

/** Lets a user open greetings to bob, for five minutes. The page asks for another token whenever it connects. */
async function tokenFor(user: string): Promise<string> {
  const mp = { open: [{ peer: "bob", protocol: "greeting" }] };
  const token = new SignJWT({ mp }).setProtectedHeader({ alg: "HS256" }).setSubject(user);
  return await token.setIssuedAt().setExpirationTime("5m").sign(key);
}

async function logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { user, password } = JSON.parse(await textOf(request)) as { user: string; password: string };
  const expected = passwords.get(user);
  // Without the first check, somebody who sends no password would be any user that there isn't.
  if (expected === undefined || password !== expected) {
    response.writeHead(401).end();
    return;
  }
  const session = randomUUID();
  sessions.set(session, user);
  response.writeHead(204, { "set-cookie": `session=${session}; HttpOnly; SameSite=Strict` }).end();
}

async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const session = /(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
  const user = sessions.get(session);
  if (user === undefined) {
    response.writeHead(401).end();
    return;
  }
  const answer = { url, name: `+${keyId}/${user}`, token: await tokenFor(user) };
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(answer));
}

function file(path: URL, type: string) {
  return async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.writeHead(200, { "content-type": type }).end(await readFile(fileURLToPath(path)));
  };
}

const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>> = {
  "GET /": file(new URL("page.html", import.meta.url), "text/html; charset=utf-8"),
  "GET /messagepasser.js": file(new URL("browser.js", import.meta.resolve("messagepasser")), "text/javascript"),
  "POST /login": logIn,
  "POST /token": giveToken,
};

const server = createServer((request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  if (route === undefined) response.writeHead(404).end();
  else
    route(request, response).catch((error: unknown) => {
      console.error(error);
      response.writeHead(400).end();
    });
});
server.listen(Number(port), "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(`Open http://127.0.0.1:${address?.port}/`);
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > 1_000) throw new Error("The request is too long");
  }
  return text;
}
