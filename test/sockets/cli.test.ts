import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Router, startRouter } from "../../scripts/router.ts";
import { directory, type Environment, mp, type Result, type Running, start } from "./cli-mp.ts";
import { NetworkPath } from "./proxy.ts";
import { settled } from "./settled.ts";

let router: Router;
let lastName = 0;

beforeAll(async () => {
  router = await startRouter();
});

afterAll(async () => {
  await router[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const routerOnly = (): Environment => ({ MP_URL: router.url.href });
const admin = (): Environment => ({ ...routerOnly(), MP_ADMIN_TOKEN: router.adminToken });

/** A client of its own for each use, so that opens to it reach no program of another test. */
async function client(realm = "default"): Promise<{ name: string; secret: string; environment: Environment }> {
  const name = `client-${++lastName}`;
  const url = new URL(`/admin/v1/realms/${realm}/clients`, router.url.href.replace(/^ws/, "http"));
  const headers = { authorization: `Bearer ${router.adminToken}` };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ name }) });
  const { secret } = (await response.json()) as { secret: string };
  return { name, secret, environment: { ...routerOnly(), MP_REALM: realm, MP_NAME: name, MP_SECRET: secret } };
}

/** `mp listen`, ready. */
async function listener(...parameters: string[]): Promise<Running & { name: string }> {
  const { name, environment } = await client();
  const running = start(["listen", ...parameters], environment);
  await running.says("Listening");
  return { ...running, name };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A command that any machine with Node has: its code gets data on standard input. */
const nodeCommand = (code: string): string[] => ["--", process.execPath, "-e", code];

describe("mp connect and mp listen", () => {
  test("mp connect and mp listen carry bytes both ways at once, each direction ending on its own", async () => {
    const [there, back] = [randomBytes(3 * 1_048_576 + 1), randomBytes(3 * 1_048_576 + 7)];
    const listening = await listener("files");
    listening.child.stdin.end(back);
    const { environment } = await client();
    const connected = await mp(["connect", listening.name, "files"], environment, there);
    const listened = await listening.done;
    expect([connected.status, connected.stderr, listened.status]).toEqual([0, "", 0]);
    expect([listened.stdout.length, sha256(listened.stdout)]).toEqual([there.length, sha256(there)]);
    expect([connected.stdout.length, sha256(connected.stdout)]).toEqual([back.length, sha256(back)]);
  });

  test("mp connect and mp listen go on with one direction after the other has ended", async () => {
    const listening = await listener("question");
    const { environment } = await client();
    const asking = start(["connect", listening.name, "question"], environment);
    asking.child.stdin.end("2 + 2");
    // The listener gets the whole question before it begins to answer.
    const question = await once(listening.child.stdout, "data");
    expect(String(question)).toBe("2 + 2");
    listening.child.stdin.end("4");
    expect(await asking.done).toMatchObject({ status: 0, text: "4", stderr: "" });
    expect(await listening.done).toMatchObject({ status: 0, text: "2 + 2" });
  });

  test("mp connect tells that the rest was lost, though the other side had ended its own direction before", async () => {
    const listening = await listener("lost");
    listening.child.stdin.end();
    const sending = start(["connect", listening.name, "lost", "--grace", "0.2"], (await client()).environment);
    sending.child.stdin.write("part one");
    await once(listening.child.stdout, "data");
    listening.child.kill("SIGKILL");
    const { status, stderr } = await sending.done;
    expect([status, stderr]).toEqual([4, expect.stringContaining("was not back within 0.2 s")]);
  });

  test("mp connect holds the sender back while its output isn't read, so memory stays bounded", async () => {
    const listening = await listener("slow");
    listening.child.stdout.pause();
    listening.child.stdin.end();
    const { environment } = await client();
    const sending = start(["connect", listening.name, "slow"], environment);
    const total = 32 * 1_048_576;
    const chunk = Buffer.alloc(65_536, "x");
    let takenBytes = 0;
    const feeding = (async () => {
      while (takenBytes < total) {
        await new Promise((resolve) => sending.child.stdin.write(chunk, resolve));
        takenBytes += chunk.length;
      }
      sending.child.stdin.end();
    })();
    // The windows and the pipes are full long before all is taken: then the sender stands still.
    await vi.waitUntil(() => takenBytes > 262_144, { timeout: 15_000 });
    await settled(() => takenBytes);
    expect(takenBytes).toBeLessThan(8 * 1_048_576);
    listening.child.stdout.resume();
    await feeding;
    expect(await sending.done).toMatchObject({ status: 0 });
    expect((await listening.done).stdout.length).toBe(total);
  });

  test("mp connect and mp listen take messages of any size and kind that a program sends", async () => {
    const { name, secret, environment } = await client();
    await using peer = await connect(router.url, { name, secret });
    const large = randomBytes(1_000_000);
    peer.handle("mixed", async (connection) => {
      await connection.send("text ü");
      await connection.send(new Uint8Array());
      await connection.send(large);
      await connection.close();
    });
    const { status, stdout } = await mp(["connect", name, "mixed"], (await client()).environment);
    expect([status, sha256(stdout)]).toEqual([0, sha256(Buffer.concat([Buffer.from("text ü"), large]))]);
    expect(environment["MP_NAME"]).toBe(name);
  });

  test("mp listen without a command takes one Connection and refuses a second", async () => {
    const listening = await listener("single");
    const first = start(["connect", listening.name, "single"], (await client()).environment);
    first.child.stdin.write("here");
    await once(listening.child.stdout, "data");
    const second = await mp(["connect", listening.name, "single"], (await client()).environment);
    expect(second).toMatchObject({ status: 5, text: "" });
    expect(second.stderr).toMatch(
      /^mp: Cannot open "single" to ".+": ".+" refused it: "This listener accepts only one Connection"\n$/,
    );
    first.child.stdin.end();
    listening.child.stdin.end();
    expect([(await first.done).status, (await listening.done).status]).toEqual([0, 0]);
  });

  test("mp connect with --wait that began first gets through once its peer listens", async () => {
    const late = await client();
    const waiting = start(["connect", late.name, "later", "--wait"], (await client()).environment);
    waiting.child.stdin.end("patience");
    await waiting.says("Waiting for");
    const listened = await mp(["listen", "later"], late.environment);
    expect(listened).toMatchObject({ status: 0, text: "patience" });
    expect(await waiting.done).toMatchObject({ status: 0 });
  });

  test("SIGINT closes mp connect in good order: data that was sent arrives, and the other end sees an end", async () => {
    const listening = await listener("interrupted");
    const connected = start(["connect", listening.name, "interrupted"], (await client()).environment);
    connected.child.stdin.write("last words");
    await once(listening.child.stdout, "data");
    connected.child.kill("SIGINT");
    expect(await connected.done).toMatchObject({ status: 130, stderr: "mp: Stopped by SIGINT\n" });
    expect(await listening.done).toMatchObject({ status: 0, text: "last words" });
  });

  test("SIGTERM ends mp connect while it waits for its peer", async () => {
    const absent = await client();
    const waiting = start(["connect", absent.name, "later", "--wait"], (await client()).environment);
    await waiting.says("Waiting for");
    waiting.child.kill("SIGTERM");
    expect(await waiting.done).toMatchObject({ status: 143 });
  });

  test("mp connect whose output is closed ends the Connection with a reason at the other end", async () => {
    const { name, secret } = await client();
    await using peer = await connect(router.url, { name, secret });
    const reason = new Promise((resolve) => {
      peer.handle("endless", async (connection) => {
        void connection.closed.then((error) => {
          resolve(error?.message);
        });
        for (;;) await connection.send(Buffer.alloc(65_536));
      });
    });
    const connected = start(["connect", name, "endless"], (await client()).environment);
    await once(connected.child.stdout, "data");
    connected.child.stdout.destroy();
    expect(await connected.done).toMatchObject({ status: 1, stderr: "" });
    expect(await reason).toMatch(/aborted it: "The receiver's output could not be written"$/);
  });
});

describe("a link that is lost", () => {
  /** A client that reaches the router by a way that may fail. */
  async function clientBy(path: NetworkPath): Promise<{ name: string; environment: Environment }> {
    const { name, environment } = await client();
    return { name, environment: { ...environment, MP_URL: path.url.href } };
  }

  test("mp connect reports a lost link and its return, and everything that is piped arrives", async () => {
    await using path = await NetworkPath.to(router.url);
    const bytes = randomBytes(4 * 1_048_576);
    const listening = await listener("files");
    listening.child.stdin.end();
    const sending = start(["connect", listening.name, "files"], (await clientBy(path)).environment);
    const cut = path.cutAfter(bytes.length / 2, "up");
    sending.child.stdin.end(bytes);
    await cut;
    const [sent, listened] = await Promise.all([sending.done, listening.done]);
    expect([sent.status, listened.status, sha256(listened.stdout)]).toEqual([0, 0, sha256(bytes)]);
    expect(sent.stderr).toMatch(
      /^mp: Lost the link to ws:.+; reconnecting in \d\.\d s\nmp: The link to the router is back\nmp: Connections with "client-\d+" continue\n$/,
    );
  });

  test("a link that is lost for longer than --grace ends mp connect with 6, and leaves a waiting mp listen running", async () => {
    await using path = await NetworkPath.to(router.url);
    const [late, { environment }] = await Promise.all([clientBy(path), clientBy(path)]);
    const listening = start(["listen", "later", ...nodeCommand("console.log('here')")], late.environment);
    await listening.says("Listening");
    const other = await listener("silent");
    const connected = start(["connect", other.name, "silent", "--grace", "0.2"], environment);
    other.child.stdin.write("there");
    await once(connected.child.stdout, "data");
    path.break();
    const { status, stderr } = await connected.done;
    expect([status, stderr]).toEqual([6, expect.stringContaining("no link to the router for 0.2 s")]);
    path.mend();
    await listening.says("The link to the router is back");
    expect(await mp(["connect", late.name, "later"], (await client()).environment)).toMatchObject({ text: "here\n" });
  });

  test("mp listen whose instance another program took exits with 1, and says so", async () => {
    const { environment } = await client();
    const first = start(["listen", "single", "--instance", "desk"], environment);
    await first.says("Listening");
    const second = start(["listen", "single"], { ...environment, MP_INSTANCE: "desk" });
    await second.says("Listening");
    const { status, stderr } = await first.done;
    expect([status, stderr]).toEqual([1, expect.stringContaining("Another session of this name and instance")]);
  });
});

describe("mp listen with a command", () => {
  test("a command of mp listen gets 3 MiB and sends it back, unchanged, and ends when the peer ends its input", async () => {
    const bytes = randomBytes(3 * 1_048_576);
    const listening = await listener("echo", ...nodeCommand("process.stdin.pipe(process.stdout)"));
    const { status, stdout, stderr } = await mp(
      ["connect", listening.name, "echo"],
      (await client()).environment,
      bytes,
    );
    expect([status, stderr, sha256(stdout)]).toEqual([0, "", sha256(bytes)]);
  });

  test("commands of mp listen answer after the end of input, many at once, each with the peer's name and the protocol", async () => {
    const code = `let n = 0; process.stdin.on("data", (c) => n += c.length).on("end", () =>
      console.log(process.env.MP_PEER, process.env.MP_PROTOCOL, n, process.env.MP_SECRET))`;
    const listening = await listener("count", ...nodeCommand(code));
    const clients = await Promise.all([1, 2, 3].map(() => client()));
    const runs = clients.map(({ environment }, at) =>
      mp(["connect", listening.name, "count"], environment, Buffer.alloc(at * 1000)),
    );
    const results = await Promise.all(runs);
    results.forEach((result, at) => {
      expect(result).toMatchObject({ status: 0, text: `${clients[at]?.name} count ${at * 1000} undefined\n` });
    });
  });

  test("a command of mp listen that fails aborts the Connection with its exit status, after all output, its children's included", async () => {
    const listening = await listener(
      "failing",
      "--",
      "sh",
      "-c",
      "(while kill -0 $$ 2>/dev/null; do sleep 0.05; done; echo late) & echo soon; exit 3",
    );
    const result = await mp(["connect", listening.name, "failing"], (await client()).environment);
    expect(result).toMatchObject({ status: 1, text: "soon\nlate\n" });
    expect(result.stderr).toMatch(
      /^mp: Connection "failing" with ".+": ".+" aborted it: "The command exited with status 3"\n$/,
    );
    await listening.says("exited with status 3");
  });

  test("mp listen refuses a Connection whose command can't be started, and goes on", async () => {
    const listening = await listener("nothing", "--", join(directory, "no-such-command"));
    for (let time = 0; time < 2; time++) {
      const result = await mp(["connect", listening.name, "nothing"], (await client()).environment);
      expect(result).toMatchObject({ status: 5 });
      expect(result.stderr).toContain('"The command could not be started"');
      expect(result.stderr).not.toContain(directory);
    }
  });

  test("mp listen refuses Connections past --max-commands", async () => {
    const listening = await listener(
      "few",
      "--max-commands",
      "1",
      ...nodeCommand("process.stdin.pipe(process.stdout)"),
    );
    const first = start(["connect", listening.name, "few"], (await client()).environment);
    first.child.stdin.write("x");
    await once(first.child.stdout, "data");
    expect(await mp(["connect", listening.name, "few"], (await client()).environment)).toMatchObject({ status: 5 });
    first.child.stdin.end();
    expect(await first.done).toMatchObject({ status: 0 });
  });

  test("mp listen ends a command whose peer went away, and the command's children", async () => {
    const script = 'node -e "setInterval(() => {}, 1000)" & echo "$!"; wait';
    const listening = await listener("lasting", "--grace", "0.2", "--", "sh", "-c", script);
    const connected = start(["connect", listening.name, "lasting"], (await client()).environment);
    const [pid] = await once(connected.child.stdout, "data");
    expect(isAlive(Number(pid))).toBe(true);
    connected.child.kill("SIGKILL");
    await listening.says("was not back within 0.2 s");
    await vi.waitUntil(() => !isAlive(Number(pid)), { timeout: 15_000 });
    listening.child.kill("SIGTERM");
    expect(await listening.done).toMatchObject({ status: 0 });
  });

  test("a command of mp listen that closed its input goes on without it", async () => {
    const code = "process.stdin.once('close', () => console.log('answer')).destroy()";
    const listening = await listener("deaf", ...nodeCommand(code));
    const sent = Buffer.alloc(1_000_000);
    const result = await mp(["connect", listening.name, "deaf"], (await client()).environment, sent);
    expect(result).toMatchObject({ text: "answer\n" });
  });

  test("mp listen runs until SIGTERM, then ends its commands and exits with 0", async () => {
    const listening = await listener("forever", ...nodeCommand("console.log('up'); setInterval(() => {}, 1000)"));
    const connected = start(["connect", listening.name, "forever"], (await client()).environment);
    await once(connected.child.stdout, "data");
    listening.child.kill("SIGTERM");
    expect(await listening.done).toMatchObject({ status: 0 });
    const result = await connected.done;
    expect(result).toMatchObject({ status: 1, text: "up\n" });
    expect(result.stderr).toContain('"The command was ended by SIGTERM"');
  });
});

describe("exit statuses", () => {
  test("mp exits with 4 for a peer that is absent, at once", async () => {
    const [absent, { environment }] = await Promise.all([client(), client()]);
    const result = await mp(["connect", absent.name, "any"], environment);
    expect(result).toMatchObject({ status: 4, text: "" });
    expect(result.stderr).toMatch(/^mp: Cannot open "any" to "client-\d+": .+\n$/);
  });

  test("mp exits with 4 for a peer that goes away, after everything that it sent", async () => {
    const listening = await listener("short-lived");
    const connected = start(["connect", listening.name, "short-lived", "--grace", "0.2"], (await client()).environment);
    listening.child.stdin.write("here");
    await once(connected.child.stdout, "data");
    listening.child.kill("SIGKILL");
    const result = await connected.done;
    expect(result).toMatchObject({ status: 4, text: "here" });
    expect(result.stderr).toContain("was not back within 0.2 s");
  });

  test("mp exits with 5 for a protocol that the peer doesn't handle, and for a peer that refuses", async () => {
    const { name, secret } = await client();
    await using peer = await connect(router.url, { name, secret });
    peer.handle("closed", (connection) => {
      connection.reject("not today\u001b[31m");
    });
    const { environment } = await client();
    const unknown = await mp(["connect", name, "unheard-of"], environment);
    expect(unknown).toMatchObject({ status: 5 });
    expect(unknown.stderr).toContain(`No session of "${name}" that is connected serves "unheard-of"`);
    const rejected = await mp(["connect", name, "closed"], environment);
    expect(rejected).toMatchObject({ status: 5 });
    expect(rejected.stderr).toContain("not today\\u001b[31m");
  });

  test("mp exits with 1 for a Connection that the peer aborts, with its reason", async () => {
    const { name, secret } = await client();
    await using peer = await connect(router.url, { name, secret });
    peer.handle("fragile", async (connection) => {
      await connection.send("begun");
      connection.abort("disk full");
    });
    const result = await mp(["connect", name, "fragile"], (await client()).environment);
    expect(result).toMatchObject({ status: 1, text: "begun" });
    expect(result.stderr).toMatch(/"client-\d+" aborted it: "disk full"\n$/);
  });

  test("mp exits with 3 for a wrong secret, which appears nowhere, not even with MP_DEBUG", async () => {
    const [one, other] = await Promise.all([client(), client()]);
    const environment = { ...one.environment, MP_SECRET: other.secret };
    for (const debug of ["", "1"]) {
      const result = await mp(["peers"], { ...environment, MP_DEBUG: debug });
      expect(result.status).toBe(3);
      expect(result.stderr).toMatch(
        /^mp: Cannot connect to .+ as "client-\d+" in realm "default": Name or secret is wrong/,
      );
      expect(result.stderr.includes("    at "), result.stderr).toBe(debug === "1");
      expect(result.stderr + result.text).not.toContain(other.secret.slice(3, 20));
    }
  });

  test("mp exits with 3 for a listener whose secret is revoked meanwhile", async () => {
    const listening = await listener("any");
    expect(await mp(["client", "revoke", listening.name], admin())).toMatchObject({ status: 0 });
    expect(await listening.done).toMatchObject({ status: 3 });
  });

  test("mp exits with 3 for a Connection that ends because its own secret is rotated, whatever followed", async () => {
    const listening = await listener("any");
    const own = await client();
    const connected = start(["connect", listening.name, "any"], own.environment);
    connected.child.stdin.write("x");
    await once(listening.child.stdout, "data");
    expect(await mp(["client", "rotate", own.name], admin())).toMatchObject({ status: 0 });
    expect(await connected.done).toMatchObject({ status: 3 });
    expect(await listening.done).toMatchObject({ status: 4 });
  });
});

describe("mp client", () => {
  test("mp client adds, rotates and revokes, and prints each secret once and alone on standard output", async () => {
    const name = "of many/words ü%41";
    const added = await mp(["client", "add", name], admin());
    expect(added).toMatchObject({ status: 0 });
    expect(added.text).toMatch(/^mp_[\w-]{108}\n$/);
    const peersWith = (secret: string): Promise<Result> =>
      mp(["peers"], { ...routerOnly(), MP_NAME: name, MP_SECRET: secret });
    expect(await peersWith(added.text)).toMatchObject({ status: 0 });

    const rotated = await mp(["client", "rotate", name, "--json"], admin());
    const client = JSON.parse(rotated.text) as Record<string, unknown>;
    expect(client).toMatchObject({ name, revision: 2 });
    expect(await peersWith(added.text)).toMatchObject({ status: 3 });
    expect(await peersWith(String(client["secret"]))).toMatchObject({ status: 0 });

    const listed = await mp(["client", "list", "--json"], admin());
    expect(JSON.parse(listed.text)).toContainEqual(expect.objectContaining({ name, revision: 2 }));
    expect(listed.text).not.toContain("mp_");

    expect(await mp(["client", "revoke", name], admin())).toMatchObject({ status: 0, text: "" });
    expect(await peersWith(String(client["secret"]))).toMatchObject({ status: 3 });
    for (const command of ["rotate", "revoke"]) {
      expect(await mp(["client", command, name], admin())).toMatchObject({ status: 1, text: "" });
    }
  });

  test("mp client refuses a name that is taken, an invalid name and a wrong token, each with its status", async () => {
    const { name } = await client();
    const taken = await mp(["client", "add", name], admin());
    expect(taken).toMatchObject({ status: 1, stderr: `mp: There is a client "${name}": rotate or revoke it\n` });
    expect(await mp(["client", "add", "a:b"], admin())).toMatchObject({ status: 2 });
    const token = "not-the-admin-token";
    const refused = await mp(["client", "list"], { ...routerOnly(), MP_ADMIN_TOKEN: token });
    expect(refused).toMatchObject({ status: 3 });
    expect(refused.stderr).not.toContain(token);
  });

  test("mp client takes the admin token from a file, and lists the realm's own clients only, as a table for people", async () => {
    const file = join(directory, "token.txt");
    writeFileSync(file, `${router.adminToken}\n`);
    const flags = ["--url", router.url.href.replace("ws", "http"), "--realm", "team", "--admin-token-file", file];
    expect(await mp(["client", "list", ...flags])).toMatchObject({ status: 0, text: "" });
    await mp(["client", "add", "alice", ...flags]);
    const { text } = await mp(["client", "list", ...flags]);
    expect(text).toMatch(
      /^NAME {3}SECRET-ID +REVISION  CHANGED +LAST USED  STATE\nalice  [0-9a-f]{16}  1 +20\S+Z  never +good\n$/,
    );
  });
});

describe("mp peers and mp ping", () => {
  test("mp peers lists the other connected clients, for people and for programs", async () => {
    const realm = "peers";
    const clients = await Promise.all([1, 2, 3].map(() => client(realm)));
    const [first, second, own] = clients;
    const options = clients.map(({ name, secret }) => ({ name, secret, realm }));
    await using _first = await connect(router.url, options[0] ?? raise());
    await using _second = await connect(router.url, options[1] ?? raise());
    const names = [first?.name ?? "", second?.name ?? ""].sort((left, right) => (left < right ? -1 : 1));
    expect(await mp(["peers"], own?.environment)).toMatchObject({ status: 0, text: `${names.join("\n")}\n` });
    const { text } = await mp(["peers", "--json"], own?.environment);
    expect(JSON.parse(text)).toEqual(names);
  });

  test("mp peers --details lists each session, for people and for programs", async () => {
    const [peer, own] = await Promise.all([client("details"), client("details")]);
    await using _peer = await connect(router.url, { name: peer.name, secret: peer.secret, realm: "details" });
    const { text } = await mp(["peers", "--details", "--json"], own.environment);
    const sessions = JSON.parse(text) as { session: string; since: string }[];
    expect(sessions).toMatchObject([{ name: peer.name, instance: "" }]);
    expect(sessions[0]?.session).toMatch(/^[0-9a-f]{32}$/);
    const shown = await mp(["peers", "--details"], own.environment);
    const [head, row] = shown.text.split("\n").map((line) => line.split(/  +/));
    expect(head).toEqual(["NAME", "INSTANCE", "SINCE", "SERVES"]);
    expect(row).toEqual(expect.arrayContaining([peer.name, sessions[0]?.since]));
  });

  test("mp peers --watch tells who is there, who comes and who goes, and ends well at SIGINT", async () => {
    const [peer, second, own] = await Promise.all([client("watched"), client("watched"), client("watched")]);
    const joined = await connect(router.url, { name: peer.name, secret: peer.secret, realm: "watched" });
    const running = start(["peers", "--watch"], own.environment);
    const objects = start(["peers", "--watch", "--json"], second.environment);
    const heard = (child: typeof running.child, text: string): Promise<unknown> =>
      new Promise((resolve) => {
        let all = "";
        child.stdout.on("data", (chunk: Buffer) => {
          all += chunk.toString();
          if (all.includes(text)) resolve(undefined);
        });
      });
    const lines = [`here ${peer.name}\n`, `gone ${peer.name}\n`].map((line) => heard(running.child, line));
    const gone = heard(objects.child, `{"kind":"gone","name":"${peer.name}"`);
    await Promise.all([lines[0], heard(objects.child, `{"kind":"here","name":"${peer.name}"`)]);
    await joined.close();
    await Promise.all([lines[1], gone]);
    for (const { child } of [running, objects]) child.kill("SIGINT");
    expect([(await running.done).status, (await objects.done).status]).toEqual([0, 0]);
  });

  test("mp ping measures round trips to a client that needs no handler for it", async () => {
    const { name, secret } = await client();
    await using _peer = await connect(router.url, { name, secret });
    const { environment } = await client();
    const { status, text } = await mp(["ping", name, "-c", "3", "-i", "0", "--json"], environment);
    expect(status).toBe(0);
    const result = JSON.parse(text) as { peer: string; roundTripsMs: number[] } & Record<string, number>;
    const sorted = result.roundTripsMs.toSorted((left, right) => left - right);
    expect(sorted).toHaveLength(3);
    expect(sorted[0]).toBeGreaterThan(0);
    expect(result).toMatchObject({ peer: name, minMs: sorted[0], medianMs: sorted[1], maxMs: sorted[2] });

    const shown = await mp(["ping", name, "-c", "2", "-i", "0"], environment);
    expect(shown.text.split("\n")).toHaveLength(4);
    expect(shown.text).toMatch(/ 2 round trips, min \/ median \/ max [\d.]+ \/ [\d.]+ \/ [\d.]+ ms\n$/);
  });

  test("mp ping says so when the peer is absent", async () => {
    const [absent, { environment }] = await Promise.all([client(), client()]);
    expect(await mp(["ping", absent.name], environment)).toMatchObject({ status: 4, text: "" });
  });
});

describe("mp login", () => {
  test("mp login writes a profile that only its owner may read and the other commands use, and logout removes it", async () => {
    const { name, secret } = await client();
    const own = { XDG_CONFIG_HOME: join(directory, "login") };
    const file = join(directory, "login", "messagepasser", "profile.json");
    const flags = ["--url", router.url.href, "--name", name];
    const loggedIn = await mp(["login", ...flags], own, `${secret}\n`);
    expect(loggedIn).toMatchObject({ status: 0, text: "" });
    expect(loggedIn.stderr).not.toContain(secret);
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ url: router.url.href, realm: "default", name, secret });

    expect(await mp(["peers"], own)).toMatchObject({ status: 0 });
    // Flags and variables go before the profile, and its secret doesn't go where they point.
    const other = await client();
    expect(await mp(["peers"], { ...own, MP_NAME: other.name, MP_SECRET: other.secret })).toMatchObject({ status: 0 });
    const elsewhere = await mp(["peers", "--name", other.name], own);
    expect(elsewhere).toMatchObject({ status: 2 });
    expect(elsewhere.stderr).toContain(`No secret for "${other.name}"`);
    expect(await mp(["peers", "--url", "ws://127.0.0.1:9"], own)).toMatchObject({ status: 2 });

    expect(await mp(["logout"], own)).toMatchObject({ status: 0 });
    expect(await mp(["peers"], own)).toMatchObject({ status: 2 });
  });

  test("mp login writes nothing for a secret that the router refuses, and leaves the earlier profile", async () => {
    const [one, other] = await Promise.all([client(), client()]);
    const file = join(directory, "kept.json");
    const flags = ["login", "--url", router.url.href, "--name", one.name, "--profile", file];
    expect(await mp(flags, {}, other.secret)).toMatchObject({ status: 3 });
    expect(() => statSync(file)).toThrow("ENOENT");
    expect(await mp(flags, {}, one.secret)).toMatchObject({ status: 0 });
    const before = readFileSync(file, "utf8");
    expect(await mp(flags, {}, other.secret)).toMatchObject({ status: 3 });
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  test("mp login remembers the admin token of a file once the router has taken it", async () => {
    const { name, secret } = await client();
    const [good, bad] = [join(directory, "good-token"), join(directory, "bad-token")];
    writeFileSync(good, router.adminToken);
    writeFileSync(bad, "no-such-token");
    const profile = join(directory, "admin.json");
    const flags = ["login", "--url", router.url.href, "--name", name, "--profile", profile, "--admin-token-file"];
    expect(await mp([...flags, bad], {}, secret)).toMatchObject({ status: 3 });
    expect(await mp([...flags, good], {}, secret)).toMatchObject({ status: 0 });
    expect(await mp(["client", "list", "--profile", profile])).toMatchObject({ status: 0 });
  });
});

function raise(): never {
  throw new Error("Unreachable");
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
