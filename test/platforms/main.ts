// `npm run platforms`: the packed client, as a stranger installs it, talks through a real router on everything that it
// says it runs on: Node, Deno, Bun, Workers, jsdom, and pages that the common bundlers made.
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connect } from "messagepasser";
import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import { launchChromium } from "../support/chromium.ts";
import { bundlers, runInBrowser, type Target } from "./pages.ts";
import { runInWorker } from "./worker.ts";

/** Longer than any platform takes on a slow machine; one that hangs fails. */
const deadlineMs = 60_000;
const expected = "héllo ✓, 1048576 bytes, closed";
const root = join(import.meta.dirname, "..", "..");
const directory = mkdtempSync(join(tmpdir(), "messagepasser-platforms-"));

function npm(...parameters: string[]): void {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  execFileSync("npm", [...parameters, ...quiet], { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}

/** Installs the platforms and the packed client into a folder of their own. */
function install(): void {
  for (const file of ["package.json", "package-lock.json"]) {
    copyFileSync(join(import.meta.dirname, file), join(directory, file));
  }
  cpSync(join(import.meta.dirname, "programs"), directory, { recursive: true });
  npm("install");
  npm("pack", join(root, "client"), "--ignore-scripts");
  const { version } = JSON.parse(readFileSync(join(root, "client", "package.json"), "utf8")) as { version: string };
  npm("install", "--no-save", `messagepasser-${version}.tgz`);
}

/** A command that prints what `talk` gives. */
function command(program: string, ...parameters: string[]): (target: Target) => Promise<string> {
  return async ({ url, name, secret }) => {
    const { stdout } = await promisify(execFile)(join(directory, "node_modules", program), parameters, {
      cwd: directory,
      timeout: deadlineMs,
      env: { ...process.env, MP_URL: url, MP_NAME: name, MP_SECRET: secret },
    });
    return stdout.trim();
  };
}

try {
  console.log("Installing the platforms from the npm registry …");
  install();
  await using router = await startRouter();
  await using stack = new AsyncDisposableStack();
  const browser = stack.adopt(await launchChromium(), async (opened) => {
    await opened.close();
  });
  const platforms: Readonly<Record<string, (target: Target) => Promise<string>>> = {
    "Node 22": command("node-22/bin/node", "module.js"),
    "Node 24": command("node-24/bin/node", "module.js"),
    "Node 22, CommonJS": command("node-22/bin/node", "common.cjs"),
    "Node 24, CommonJS": command("node-24/bin/node", "common.cjs"),
    Deno: command(".bin/deno", "run", "--allow-all", "--quiet", "module.js"),
    Bun: command(".bin/bun", "run", "module.js"),
    jsdom: command("node-24/bin/node", "--conditions=browser", "jsdom.js"),
    Workers: (target) => runInWorker(join(directory, "worker.js"), target),
    ...Object.fromEntries(
      Object.entries(bundlers).map(([name, bundle]) => [
        `Chromium, ${name}`,
        (target: Target) => runInBrowser(browser, () => bundle(directory), target),
      ]),
    ),
  };
  await using host = await connect(router.url, { name: "host", secret: await addClient(router, "host") });
  host.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  const secret = await addClient(router, "visitor");
  for (const [name, talk] of Object.entries(platforms)) {
    const answer = await talk({ url: router.url.href, name: "visitor", secret }).catch(String);
    console.log(`${name.padEnd(18)} ${answer}`);
    if (answer !== expected) process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true });
}
