import { env, exports } from "cloudflare:workers";
import { listDurableObjectIds } from "cloudflare:test";
import { defaultRealm, limits, subprotocols } from "@messagepasser/protocol";
import { beforeAll, describe, expect, test } from "vitest";
import { admin, expectProblem, Realm } from "./realm.ts";
import { refusals, refusedBy } from "./refusals.ts";
import { basic, newSession } from "../support/credentials.ts";
import { upgrade } from "./upgrade.ts";

const realm = new Realm();
const path = `/connect/${realm.name}`;

let alice = "";
beforeAll(async () => {
  alice = (await realm.add("alice")).secret;
});

async function expectUnauthorized(response: Response): Promise<void> {
  expect(response.headers.get("www-authenticate")).toBe('Basic realm="MessagePasser", charset="UTF-8"');
  const detail = await expectProblem(response, 401, "unauthorized");
  // One text for all, so that nothing can be learnt from it.
  expect(detail).toBe("Name or secret is wrong for this realm, or the secret was rotated or revoked");
}

describe("an upgrade with credentials in its header", () => {
  test("an upgrade with credentials in its header is let in, and gets its format among others offered", async () => {
    const offered = `chat, ${subprotocols.native} ,soap`;
    const response = await upgrade(path, { authorization: basic("alice", alice), "sec-websocket-protocol": offered });
    expect(response.status).toBe(101);
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocols.native);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
  });

  test("an upgrade without readable credentials in its header is refused, always with the same answer", async () => {
    await expectUnauthorized(await upgrade(path));
    const unreadable = [
      "",
      "Basic",
      "Basic ",
      "Basic ???",
      `Bearer ${alice}`,
      `Basic ${btoa("no colon")}`,
      `Basic ${btoa("\xff:x")}`,
    ];
    for (const authorization of unreadable) await expectUnauthorized(await upgrade(path, { authorization }));
  });

  test.for(refusals)("an upgrade with credentials in its header is refused with %s", async (kind) => {
    const credentials = await refusedBy(kind);
    const authorization = basic(credentials.name, credentials.secret);
    await expectUnauthorized(await upgrade(credentials.path, { authorization }));
  });

  test("an upgrade with a secret that is valid elsewhere is refused, without waking the realm that it was tried on", async () => {
    const other = new Realm();
    await expectUnauthorized(await upgrade(`/connect/${other.name}`, { authorization: basic("alice", alice) }));
    const ids = await listDurableObjectIds(env.ROUTER);
    expect(ids.map(String)).toContain(String(env.ROUTER.idFromName(realm.name)));
    expect(ids.map(String)).not.toContain(String(env.ROUTER.idFromName(other.name)));
  });

  test("an upgrade with a self-chosen password is refused, and told that secrets are made by the router", async () => {
    for (const password of ["", "swordfish", "correct horse battery staple"]) {
      const response = await upgrade(path, { authorization: basic("alice", password) });
      expect(await expectProblem(response, 401, "unauthorized")).toMatch(/secrets are made by the router/);
    }
  });

  test("an upgrade takes a name in any script, and a secret's colon as part of the secret", async () => {
    const name = "żółw 亀 🐢";
    const { secret } = await realm.add(name);
    const response = await upgrade(path, { authorization: basic(name, secret) });
    expect(response.status).toBe(101);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
    await expectUnauthorized(await upgrade(path, { authorization: basic(name, `${secret}:`) }));
  });
});

describe("a request to /connect", () => {
  test("a request to /connect without a realm means the default one", async () => {
    const taken = await admin(`/realms/${defaultRealm}/clients`, { method: "POST", body: '{"name":"dora"}' });
    const { secret } = await taken.json<{ secret: string }>();
    const response = await upgrade("/connect", { authorization: basic("dora", secret) });
    expect(response.status).toBe(101);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
  });

  test("a request to /connect that is no upgrade is answered with 426 and what to do, whatever its credentials", async () => {
    for (const where of ["/connect", path]) {
      const plain = await exports.default.fetch(`https://router.test${where}`, {
        headers: { authorization: basic("alice", alice) },
      });
      expect(plain.headers.get("upgrade")).toBe("websocket");
      await expectProblem(plain, 426, "upgrade-required");
    }
    await expectProblem(await upgrade(path, { upgrade: "h2c" }), 426, "upgrade-required");
  });

  test("a request to /connect may spell the upgrade in any case", async () => {
    await expectUnauthorized(await upgrade(path, { upgrade: "WebSocket" }));
  });

  test.for(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "a request to /connect by %s finds nothing",
    async (method) => {
      const headers = { authorization: basic("alice", alice) };
      await expectProblem(
        await exports.default.fetch(`https://router.test${path}`, { method, headers }),
        404,
        "not-found",
      );
    },
  );

  test("a request to /connect by HEAD lets no client in and doesn't fail", async () => {
    const headers = {
      upgrade: "websocket",
      authorization: basic("alice", alice),
      "sec-websocket-protocol": subprotocols.native,
    };
    const response = await exports.default.fetch(`https://router.test${path}`, {
      method: "HEAD",
      headers: { ...headers, upgrade: "" },
    });
    expect(response.status).toBe(426);
  });

  test("a request to /connect that offers no format of the router's is told which exists", async () => {
    for (const offered of ["", "mp.v2", "MP.V1", "mp.v1x"]) {
      const headers = { "sec-websocket-protocol": offered, authorization: basic("alice", alice) };
      expect(await expectProblem(await upgrade(path, headers), 400, "bad-request")).toContain(subprotocols.native);
    }
  });

  test.for(["UPPER", "-a", "a-", "a_b", "a".repeat(limits.maxRealmLength + 1), "%20", "a%2Fb", "%", "%ff", "é"])(
    "a request to /connect with the realm %s is refused",
    async (name) => {
      const response = await upgrade(`/connect/${name}`, { authorization: basic("alice", alice) });
      expect(await expectProblem(response, 400, "bad-request")).toContain("realm's name");
    },
  );

  test.for([
    "",
    "0",
    "0".repeat(32),
    "g".repeat(32),
    "A".repeat(32),
    "0".repeat(31),
    "0".repeat(33),
    "0".repeat(31) + "%0a",
  ])('a request to /connect with the session "%s" is refused', async (session) => {
    const response = await upgrade(`${path}?session=${session}`, { authorization: basic("alice", alice) });
    expect(await expectProblem(response, 400, "bad-request")).toContain("session");
  });

  test.for(["", "$alice", "a\nb", "é".repeat(65), "\u2028"])(
    "a request to /connect with the name %j is refused",
    async (name) => {
      const response = await upgrade(path, { authorization: basic(name, alice) });
      expect(await expectProblem(response, 400, "bad-request")).toContain("client's name");
    },
  );

  test("a request to /connect can't bring its own admission: the header never reaches the realm's object", async () => {
    const other = new Realm();
    const session = newSession();
    const admission = {
      version: 3,
      admission: { realm: other.name, name: "root" },
      session,
      resumes: true,
      format: subprotocols.native,
    };
    const forged = { "mp-admission": encodeURIComponent(JSON.stringify(admission)) };
    await expectUnauthorized(await upgrade(path, forged));
    const response = await upgrade(path, { ...forged, authorization: basic("alice", alice) });
    const welcome = new Promise<Uint8Array>((resolve) => {
      const socket = response.webSocket;
      if (socket === null) throw new Error("Not upgraded");
      socket.binaryType = "arraybuffer";
      socket.addEventListener("message", ({ data }) => resolve(new Uint8Array(data as ArrayBuffer)));
      socket.accept();
    });
    const text = new TextDecoder("latin1").decode(await welcome);
    expect(text).toContain("alice");
    expect(text).toContain(realm.name);
    expect(text).not.toContain("root");
    response.webSocket?.close(1000);
  });
});

test("the object refuses an upgrade that doesn't come from this version of the Worker, as retryable", async () => {
  const other = new Realm();
  const ofVersion = (version: number): Record<string, string> => {
    const admission = {
      version,
      admission: { realm: other.name, name: "root" },
      session: newSession(),
      format: "mp.v2",
    };
    return { "mp-admission": encodeURIComponent(JSON.stringify(admission)) };
  };
  for (const headers of [{}, ofVersion(5), ofVersion(7)]) {
    const response = await other.stub.fetch("https://router.internal/link", {
      headers: { upgrade: "websocket", ...headers },
    });
    expect(response.status).toBe(503);
  }
});
