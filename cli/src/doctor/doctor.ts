import { isIP } from "node:net";
import { type Client, connect } from "messagepasser";
import { explained } from "../client.ts";
import { hostOf, routeTo } from "../proxy/environment.ts";
import type { ClientSettings } from "../settings.ts";
import { Examination, type Onlooker } from "./examination.ts";
import { formatChecks } from "./formats.ts";
import {
  checkHealth,
  checkName,
  checkProxy,
  checkTcp,
  checkTls,
  type Destination,
  firstHop,
  type RouterVersion,
  routerVersion,
} from "./network.ts";
import { checkBuiltInPeer, builtInPeers } from "./built-in-peers.ts";
import { measureDown, measureRoundTrip, measureUp, throughputTimeoutMs } from "./speed.ts";

type Step = [name: string, whyNot: string | undefined, work: Parameters<Examination["run"]>[1]];

/** The checks that are skipped if the network checks fail. */
const afterNetwork = ["sign-in", ...builtInPeers, "round trip", "up", "down", "formats"];

/** Checks everything between this machine and the router, one thing after the other. */
export async function examine(settings: ClientSettings, onlooker: Onlooker): Promise<Examination> {
  const examination = new Examination(onlooker);
  const version = await examineNetwork(examination, settings);
  if (version === undefined) {
    // The secret isn't sent to anything that isn't a router.
    for (const name of afterNetwork) await examination.skip(name, "The router can't be reached");
    return examination;
  }
  const client = await signIn(examination, settings);
  if (client === undefined) {
    for (const name of afterNetwork.slice(1)) await examination.skip(name, "The sign-in failed");
    return examination;
  }
  try {
    await examineTalk(examination, client);
  } finally {
    // A name has one link at a time, and the checks of formats need theirs.
    await client.close();
  }
  await examineFormats(examination, settings, version);
  return examination;
}

/** Runs the network checks, each of which needs the one before. Returns the router's version, unless one of them failed. */
async function examineNetwork(examination: Examination, to: Destination): Promise<RouterVersion | undefined> {
  let version: RouterVersion | undefined;
  const { url, agent } = to;
  const isTls = url.protocol === "wss:";
  const first = firstHop(to);
  const steps: Step[] = [
    ["name", isIP(first.host) === 0 ? undefined : addressInstead(agent?.route.variable), () => checkName(first)],
    ["TCP", undefined, (signal) => checkTcp(first, signal)],
    ...proxyStep(to),
    ["TLS", isTls ? undefined : "The URL begins with ws://", (signal) => checkTls(to, signal)],
    ["health", undefined, (signal) => checkHealth(to, signal)],
    [
      "version",
      undefined,
      async (signal) => {
        version = await routerVersion(to, signal);
        return { detail: `${version.version}, formats ${version.formats.join(", ")}` };
      },
    ],
  ];
  let isGood = true;
  for (const [name, why, work] of steps) {
    if (!isGood) await examination.skip(name, "An earlier check failed");
    else if (why !== undefined) await examination.skip(name, why);
    else isGood = await examination.run(name, work);
  }
  return version;
}

/** The check of the proxy, if there is one, or the reason why the doctor goes past it. */
function proxyStep({ url, agent }: Destination): Step[] {
  if (agent !== undefined) return [["proxy", undefined, (signal) => checkProxy(url, agent, signal)]];
  const route = routeTo(url, process.env);
  if (route.kind !== "excepted") return [];
  return [["proxy", `${route.variable} has ${hostOf(url)}`, () => Promise.resolve({ detail: "" })]];
}

function addressInstead(variable = "The URL"): string {
  return `${variable} has an address, not a name`;
}

async function signIn(examination: Examination, settings: ClientSettings): Promise<Client | undefined> {
  let client: Client | undefined;
  const { url, ...who } = settings;
  await examination.run("sign-in", async (signal) => {
    const startMs = performance.now();
    client = await connect(url, { ...who, signal }).catch((error: unknown) => {
      throw explained(error, who.name);
    });
    const value = performance.now() - startMs;
    const detail = `as "${who.name}" in realm "${who.realm}", in ${value.toFixed(1)} ms`;
    return { detail, value, unit: "ms" };
  });
  return client;
}

async function examineTalk(examination: Examination, client: Client): Promise<void> {
  for (const name of builtInPeers)
    await examination.run(name, async (signal) => ({ detail: await checkBuiltInPeer(name, client, signal) }));
  await examination.run("round trip", (signal) => measureRoundTrip(client, signal));
  await examination.run("up", (signal) => measureUp(client, signal), throughputTimeoutMs);
  await examination.run("down", (signal) => measureDown(client, signal), throughputTimeoutMs);
}

async function examineFormats(
  examination: Examination,
  settings: ClientSettings,
  version: RouterVersion,
): Promise<void> {
  for (const format of version.formats) {
    const check = formatChecks.get(format);
    if (check === undefined) await examination.skip(format, "This mp doesn't know the format");
    else await examination.run(format, async (signal) => ({ detail: await check(settings, signal) }));
  }
}
