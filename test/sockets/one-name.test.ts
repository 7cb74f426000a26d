import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Environment, mp, program, realmForMp, type Result, run, start } from "./cli-mp.ts";

// Programs of one name at once, as people start them.

const realm = realmForMp();

test("mp peers, mp ping and mp doctor run beside mp listen of the same name, which still takes the next Connection", async () => {
  const bob = await realm.environmentOf("bob");
  const listening = start(["listen", "notes"], bob);
  listening.child.stdin.end();
  await listening.says("Listening");
  const beside = await Promise.all(
    [["peers"], ["ping", "$echo", "--count", "2"], ["doctor"]].map((each) => mp(each, bob)),
  );
  expect(beside.map(({ status }) => status)).toEqual([0, 0, 0]);
  const connected = await mp(["connect", "bob", "notes"], await realm.environmentOf("alice"), "hello");
  expect(connected).toMatchObject({ status: 0 });
  expect(await listening.done).toMatchObject({ status: 0, text: "hello" });
});

/** Debian's openssh-server, which `.ci/install-programs` installs; it is in no user's PATH. */
const sshd = spawnSync("which", ["sshd"], {
  env: { PATH: ["/usr/sbin", process.env["PATH"]].join(delimiter) },
  encoding: "utf8",
}).stdout.trim();

if (sshd === "") console.warn("Two ssh sessions of one name are not tested: sshd is missing");

describe.skipIf(sshd === "")("ssh", () => {
  test("two people's ssh to one machine run at once, each through a Connection of its own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mp-ssh-"));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    const listening = start(
      ["listen", "ssh", "--", sshd, "-i", "-f", server(folder)],
      await realm.environmentOf("bob"),
    );
    await listening.says("Listening");
    const alice = await realm.environmentOf("alice");
    // The first one ends once the second one has run.
    const wait = `until [ -e "${folder}/second" ]; do sleep 0.05; done; echo first`;
    const [first, second] = await Promise.all([
      ssh(folder, alice, `touch "${folder}/first"; ${wait}`),
      ssh(folder, alice, `until [ -e "${folder}/first" ]; do sleep 0.05; done; echo second; touch "${folder}/second"`),
    ]);
    expect([first.text, second.text]).toEqual(["first\n", "second\n"]);
    expect([first, second]).toMatchObject([
      { status: 0, stderr: "" },
      { status: 0, stderr: "" },
    ]);
  });
});

/** Makes the keys of a server and a user. @returns the server's settings */
function server(folder: string): string {
  for (const key of ["host", "user"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
  const file = join(folder, "sshd_config");
  writeFileSync(
    file,
    [
      `HostKey ${join(folder, "host")}`,
      `AuthorizedKeysFile ${join(folder, "user.pub")}`,
      "StrictModes no",
      "UsePAM no",
      "PidFile none",
      "LogLevel QUIET",
    ].join("\n"),
  );
  chmodSync(folder, 0o700);
  // A server of root's keeps its children there; the system makes it where the server runs as a service.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  return file;
}

async function ssh(folder: string, environment: Environment, command: string): Promise<Result> {
  const options = [
    `ProxyCommand="${process.execPath}" "${program}" connect bob ssh`,
    `UserKnownHostsFile=${join(folder, "known")}`,
    "StrictHostKeyChecking=no",
    "LogLevel=ERROR",
    "BatchMode=yes",
  ].flatMap((option) => ["-o", option]);
  return await run(
    "ssh",
    ["-F", "none", "-i", join(folder, "user"), ...options, `${userInfo().username}@bob`, command],
    environment,
  ).done;
}
