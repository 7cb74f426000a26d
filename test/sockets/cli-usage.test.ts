import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { closeCodes, errorCodes } from "@messagepasser/protocol";
import { afterAll, describe, expect, test, vi } from "vitest";
import packageJson from "../../cli/package.json" with { type: "json" };
import { printable } from "../../cli/src/output.ts";
import { defaultProfilePath } from "../../cli/src/profile.ts";
import { Prompt } from "../../cli/src/prompt.ts";
import { statusMeanings, statusOfCode } from "../../cli/src/status.ts";
import { directory, mp, start } from "./cli-mp.ts";

// The parts of `mp` that need no router.

const secret = `mp_${"s".repeat(108)}`;
/** Nothing listens on the discard port. */
const settings = { MP_URL: "ws://127.0.0.1:9", MP_NAME: "alice", MP_SECRET: secret };
const commands = [
  "login",
  "logout",
  "listen",
  "connect",
  "peers",
  "ping",
  "doctor",
  "bridge",
  "client",
  "rule",
  "audit",
  "invite",
  "join",
];
const clientCommands = ["add", "list", "rotate", "revoke"];

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe("help", () => {
  test("mp --help lists every command and every exit status", async () => {
    const { status, text } = await mp(["--help"]);
    expect(status).toBe(0);
    for (const command of commands) expect(text).toMatch(new RegExp(`^  ${command} `, "m"));
    for (const [code, meaning] of Object.entries(statusMeanings)) expect(text).toContain(`  ${code}  ${meaning}\n`);
  });

  test.for([...commands.map((command) => [command]), ...clientCommands.map((command) => ["client", command])])(
    "the help of mp %s %s has examples",
    async (command) => {
      const { status, text, stderr } = await mp([...command, "--help"]);
      expect([status, stderr]).toEqual([0, ""]);
      expect(text).toMatch(new RegExp(`Examples:\\n(  .*)?mp ${command.join(" ")}`));
    },
  );

  test("mp without a command prints its help on standard error, with the status for wrong usage", async () => {
    const { status, text, stderr } = await mp([]);
    expect([status, text]).toEqual([2, ""]);
    expect(stderr).toContain("Usage: mp");
  });

  test("mp --version prints the package's version", async () => {
    expect(await mp(["--version"])).toMatchObject({ status: 0, text: `${packageJson.version}\n` });
  });
});

describe("wrong usage", () => {
  const cases: [string, string[], Record<string, string>, string][] = [
    ["an unknown command", ["conect"], {}, "Unknown command 'conect' (did you mean connect?)"],
    ["a missing argument", ["connect", "bob"], settings, "Missing required argument 'protocol'"],
    [
      "too many arguments",
      ["connect", "a", "b", secret],
      settings,
      "Too many arguments for 'connect'. Expected 2 arguments but got 3",
    ],
    [
      "a bad count",
      ["ping", "bob", "-c", "none"],
      settings,
      "Option '-c, --count <count>' argument 'none' is invalid. Give a",
    ],
    ["no URL", ["peers"], {}, 'No router: give --url, set MP_URL, or run "mp login"'],
    [
      "no name",
      ["peers"],
      { MP_URL: "ws://127.0.0.1:9", MP_SECRET: secret },
      'No name: give --name, set MP_NAME, or run "mp login"',
    ],
    [
      "no secret",
      ["peers"],
      { ...settings, MP_SECRET: "" },
      "No secret: set MP_SECRET, give a file with --secret-file, or",
    ],
    [
      "no admin token",
      ["client", "list"],
      settings,
      "No admin token: set MP_ADMIN_TOKEN, or give a file with --admin-token-file",
    ],
    ["a bad URL", ["peers", "--url", "router"], settings, "The router's URL is not a URL"],
    [
      "another scheme",
      ["peers", "--url", "ftp://router.example"],
      settings,
      "The router's URL must begin with wss:// or ws://",
    ],
    ["a bad realm", ["peers", "--realm", "No"], settings, 'The realm\'s name must consist of "a" to "z"'],
    ["a bad name", ["peers", "--name", "a:b"], settings, 'The client\'s name must not contain ":"'],
    ["a bad peer", ["connect", "a:b:c", "x"], settings, 'The peer\'s name has an instance that must not contain ":"'],
    ["a bad protocol", ["listen", "a\tb"], settings, "The protocol's name must not contain control characters"],
    [
      "a secret of two lines",
      ["peers"],
      { ...settings, MP_SECRET: "a\nb" },
      "The secret in MP_SECRET must be one line",
    ],
    [
      "a secret's file that isn't there",
      ["peers", "--secret-file", "/no/such"],
      settings,
      "Cannot read the secret from /no/such: ENOENT",
    ],
    ["a profile that isn't there", ["peers", "--profile", "/no/such"], {}, "There is no profile /no/such"],
  ];
  test.for(cases)(
    "a command line that is %s gets status 2 and a sentence",
    async ([, parameters, environment, sentence]) => {
      const { status, text, stderr } = await mp(parameters, environment);
      expect([status, text]).toEqual([2, ""]);
      expect(stderr).toMatch(/^mp: [^\n]+\n$/);
      expect(stderr).toContain(sentence);
    },
  );
});

describe("a secret on the command line", () => {
  test.for([
    { flags: ["--secret", secret], remedy: "set MP_SECRET, give a file with --secret-file" },
    { flags: [`--secret=${secret}`], remedy: "set MP_SECRET, give a file with --secret-file" },
    { flags: [`--password=${secret}`], remedy: "set MP_SECRET" },
    { flags: ["--admin-token", secret], remedy: "set MP_ADMIN_TOKEN, or give a file with --admin-token-file" },
    { flags: ["--url", `wss://alice:${secret}@router.example`], remedy: "MP_SECRET or --secret-file" },
    { flags: [`--sekret=${secret}`], remedy: "Unknown option '--sekret'" },
  ])(
    "a secret on the command line is refused with what to do instead, and not repeated: $flags.0",
    async ({ flags, remedy }) => {
      const { status, text, stderr } = await mp(["peers", ...flags], settings);
      expect([status, text]).toEqual([2, ""]);
      expect(stderr).toContain(remedy);
      expect(stderr).not.toContain("sss");
    },
  );

  test("a secret may stand after --, where another program's command begins", async () => {
    // Nothing refuses it: it waits for the router.
    await start(["listen", "x", "--", "program", "--secret", "theirs"], settings).says("Cannot connect to");
  });
});

describe("a router that can't be reached", () => {
  test.for([["peers"], ["ping", "bob"], ["connect", "bob", "x"], ["login"], ["client", "list"]])(
    "a router that can't be reached gets status 6 and one line: %s",
    async (parameters) => {
      // Nothing listens on this port, which fetch takes for a good one.
      const environment = { ...settings, MP_URL: "ws://127.0.0.1:2", MP_ADMIN_TOKEN: secret };
      const { status, text, stderr } = await mp(parameters, environment);
      expect([status, text]).toEqual([6, ""]);
      expect(stderr).toMatch(/^mp: Cannot (connect to|reach) .*127\.0\.0\.1:2.*\n$/);
      expect(stderr).not.toContain("sss");
    },
  );
});

describe("mp client list", () => {
  test("mp client list asks for page after page, and sends each cursor back as it came", async () => {
    const clients = ["a", "b", "c"].map((name) => ({
      name,
      secretId: "0",
      revision: 1,
      expiresAt: null,
      previous: null,
      changedAt: "2026-01-01T00:00:00Z",
      lastUsedAt: "2026-01-01T01:00:00Z",
      isDisabled: false,
    }));
    const cursors = ["", "page 2/ü&?=", "page 3"];
    const asked: (string | null)[] = [];
    await using server = createServer((request, response) => {
      const url = new URL(request.url ?? "", "http://router");
      expect([url.pathname, request.headers.authorization]).toEqual([
        "/base/admin/v1/realms/team/clients",
        `Bearer ${secret}`,
      ]);
      asked.push(url.searchParams.get("cursor"));
      const page = asked.length;
      const cursor = cursors[page];
      response.end(JSON.stringify({ clients: [clients[page - 1]], ...(cursor !== undefined && { cursor }) }));
    });
    const { port } = await new Promise<AddressInfo>((resolve) => {
      // A server on a port has an address of this kind.
      server.listen(0, "127.0.0.1", () => {
        resolve(server.address() as AddressInfo);
      });
    });
    const environment = { MP_URL: `http://127.0.0.1:${port}/base/`, MP_ADMIN_TOKEN: secret };
    const { status, text } = await mp(["client", "list", "--json", "--realm", "team"], environment);
    expect([status, asked]).toEqual([0, cursors]);
    expect(JSON.parse(text)).toEqual(clients);
  });
});

describe("the profile", () => {
  test("a profile that other users may read is refused", async () => {
    if (process.platform === "win32") return;
    const file = join(directory, "open.json");
    writeFileSync(file, JSON.stringify({ url: "ws://127.0.0.1:9", realm: "default", name: "alice", secret }));
    chmodSync(file, 0o644);
    const { status, stderr } = await mp(["peers", "--profile", file]);
    expect([status, stderr]).toEqual([2, `mp: Other users may read the profile ${file}: run "chmod 600" on it\n`]);
  });

  test("a profile that is damaged is refused without a word of its contents", async () => {
    const file = join(directory, "damaged.json");
    writeFileSync(file, `{"secret": "${secret}"`, { mode: 0o600 });
    const { status, stderr } = await mp(["peers", "--profile", file]);
    expect([status, stderr]).toEqual([2, `mp: The profile ${file} is damaged: run "mp login" to write a new one\n`]);
  });

  test("the profile is in the system's folder for such files", () => {
    expect(defaultProfilePath({ XDG_CONFIG_HOME: "/x" }, "linux")).toBe("/x/messagepasser/profile.json");
    expect(defaultProfilePath({ XDG_CONFIG_HOME: "relative" }, "linux")).toMatch(
      /\.config\/messagepasser\/profile\.json$/,
    );
    expect(defaultProfilePath({}, "darwin")).toMatch(/\.config\/messagepasser\/profile\.json$/);
    expect(defaultProfilePath({ APPDATA: "/roaming" }, "win32")).toBe("/roaming/messagepasser/profile.json");
  });
});

describe("the prompt", () => {
  test("a prompt takes fallbacks, repeats after an empty answer, and doesn't echo hidden input", async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    let shown = "";
    output.setEncoding("utf8").on("data", (chunk: string) => (shown += chunk));
    using prompt = new Prompt(input, output);
    /** Types once a question has been shown for the given time. */
    const type = async (question: string, time: number, keys: string): Promise<void> => {
      await vi.waitUntil(() => shown.split(question).length > time, { interval: 1, timeout: 15_000 });
      input.write(keys);
    };
    const realm = prompt.ask("Realm", "default");
    await type("Realm", 1, "\r");
    expect(await realm).toBe("default");
    const name = prompt.ask("Name");
    await type("Name", 1, "\r");
    await type("Name", 2, " alice \r");
    expect(await name).toBe("alice");
    const hidden = prompt.askHidden("Secret");
    await type("Secret", 1, "\r");
    await type("Secret", 2, `${secret}\r`);
    expect(await hidden).toBe(secret);
    const last = prompt.ask("Last");
    await type("Last", 1, "end\r");
    expect(await last).toBe("end");
    expect(shown).toContain("Realm [default]: ");
    expect(shown).toContain("alice");
    expect(shown).toContain("end");
    expect(shown).not.toContain("ss");
  });

  test("a prompt ends with Ctrl+C as by a signal", async () => {
    const input = new PassThrough();
    using prompt = new Prompt(input, new PassThrough().resume());
    const answer = prompt.askHidden("Secret");
    input.write("half\u0003");
    await expect(answer).rejects.toMatchObject({ name: "Interrupted", status: 130 });
  });
});

describe("output for people", () => {
  test("output for people has no control characters and no secrets", () => {
    expect(printable(`a\u001b[31m\u009b\n${secret}!`)).toBe("a\\u001b[31m\\u009b\\u000amp_…!");
  });

  test("the README has the same exit statuses as the help", () => {
    const readme = readFileSync(new URL("../../cli/README.md", import.meta.url), "utf8");
    const rows = Array.from(readme.matchAll(/^\| (\d) +\| (.+?) +\|$/gm), ([, code, meaning]) => [
      code,
      meaning?.toLowerCase(),
    ]);
    expect(rows).toEqual(Object.entries(statusMeanings).map(([code, meaning]) => [code, meaning.toLowerCase()]));
  });

  test("mp has an exit status for every code of the protocol", () => {
    const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    // Two codes of the wire are "peer-gone" to programs.
    const { peerReplaced: _, graceExpired: __, ...told } = errorCodes;
    const codes = [...Object.keys(closeCodes), ...Object.keys(told)].map(kebab);
    expect(codes.filter((code) => statusOfCode(code) === undefined)).toEqual([]);
  });
});
