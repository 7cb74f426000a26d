// What two clients of any formats hear of each other across two shards is what they hear on one.
import {
  anySession,
  type DataFrame,
  errorCodes,
  goneReasons,
  limits,
  openerBit,
  type PeerFrame,
  routerAddress,
  routerLimits,
} from "@messagepasser/protocol";
import { type Format, formats, json, native, pieces, type WireMessage } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { openTo, toRouter } from "../../test/support/batches.ts";
import { readingOf } from "../../test/support/readings.ts";
import {
  alone,
  type FakeLink,
  type FakeLinkOptions,
  FakeLinks,
  FakeRuntime,
  grantOf,
} from "../../test/support/routing-fakes.ts";
import { FakeShards } from "../../test/support/shard-fakes.ts";
import { toBase64 } from "../../protocol/src/base64.ts";
import { encodeGob, gobDefinition } from "../../protocol/src/original/gob.ts";
import { writeJson } from "../../protocol/src/original/json.ts";
import { metas } from "../../protocol/src/original/message.ts";
import { batchOf } from "./encoding.ts";
import { Routing } from "./routing.ts";

/** A realm, of one shard or of several. */
interface Realm {
  join(shard: number, start: string, options: FakeLinkOptions): FakeLink;
  receive(from: FakeLink, message: WireMessage): void;
  leave(link: FakeLink): void;
  /** Everything that follows happens. */
  settle(): void;
}

/** Not the first one, whose addresses could be taken for other numbers. */
const homes = [1, 2] as const;
const nameOf = (shard: number, start: string): string => new FakeShards(3).nameOn(homes[shard] ?? 0, start);

function oneShard(): Realm {
  const links = new FakeLinks(Infinity, 9_000_001);
  const runtime = new FakeRuntime();
  const routing = new Routing(links, "home", runtime, alone);
  return {
    join: (shard, start, options) => links.join(nameOf(shard, start), { lastHeardMs: runtime.nowMs, ...options }),
    receive: (from, message) => void routing.receive(from, message),
    leave: (link) => {
      routing.leave(link, goneReasons.lost);
    },
    settle: () => undefined,
  };
}

/** @param sleeps whether all objects sleep whenever nothing is under way */
function twoShards(sleeps: boolean): Realm {
  const shards = new FakeShards(3);
  return {
    join: (shard, start, options) => shards.join(homes[shard] ?? 0, start, options),
    receive: (from, message) => void shards.of(from).routing.receive(from, message),
    leave: (link) => {
      shards.of(link).routing.leave(link, goneReasons.lost);
    },
    settle: () => {
      shards.run();
      if (sleeps) shards.sleep();
    },
  };
}

/** What an end of a Connection says. */
type Word = "accept" | "close" | "done" | "reset" | { readonly bytes: number };

interface Connection {
  readonly opener: Client;
  readonly acceptor: Client;
  readonly id: number;
}

/** A client of some format. It answers each mark, and keeps what it hears. */
class Client {
  readonly link: FakeLink;
  readonly heard: unknown[] = [];
  readonly #realm: Realm;
  /** What a client of a by-name format calls Connections that others have opened, and their openers, by their ids. */
  readonly #opened = new Map<number, { readonly peer: string; readonly name: string }>();
  readonly #offsets = new Map<Connection, number>();

  constructor(realm: Realm, link: FakeLink) {
    this.#realm = realm;
    this.link = link;
    if (link.format.subprotocol === "mp.v0.gob") realm.receive(link, gobDefinition);
  }

  #say(message: WireMessage): void {
    this.#realm.receive(this.link, message);
    this.#realm.settle();
  }

  open(peer: string, id: number): void {
    const { format, name } = this.link;
    const { subprotocol } = format;
    if (format.addressing === "address") {
      const fields = { connection: id, session: anySession, limit: limits.firstWindowBytes };
      this.#say(batchOf(format, routerAddress, [openTo(peer, fields)]));
    } else if (format === json)
      this.#say(JSON.stringify({ type: "open", peer, connection: `${name}:${id}`, protocol: "test" }));
    else this.#say(original(subprotocol, metas.open, peer, `${name}:${(id - 1).toString(16)}`, "test"));
  }

  say(connection: Connection, word: Word): void {
    const { format } = this.link;
    const { opener, acceptor, id } = connection;
    const isOpener = opener === this;
    const other = isOpener ? acceptor : opener;
    if (format.addressing === "address") {
      const frames = pieces(this.#framesOf(connection, word));
      this.#say(batchOf(format, other.link.address, frames));
      return;
    }
    const opened = isOpener ? undefined : this.#opened.get(id);
    const name = opened?.name ?? `${opener.link.name}:${format === json ? id : (id - 1).toString(16)}`;
    const call = opened?.peer ?? other.link.name;
    if (format === json) {
      const frame =
        typeof word === "object"
          ? { type: "data", base64: toBase64(new Uint8Array(word.bytes)) }
          : { type: word, ...(word === "reset" && { code: "rejected" }) };
      this.#say(JSON.stringify({ ...frame, peer: call, connection: name }));
      return;
    }
    if (typeof word === "object") {
      this.#say(original(format.subprotocol, metas.data, call, name, "x".repeat(word.bytes)));
      return;
    }
    const meta = {
      accept: metas.accept,
      close: metas.closed,
      done: metas.noSuchConnection,
      reset: metas.unknownProtocol,
    }[word];
    this.#say(original(format.subprotocol, meta, call, name));
  }

  #heardOpen(peer: string, name: string, base: number, first: number): void {
    this.#opened.set(Number.parseInt(name.slice(name.lastIndexOf(":") + 1), base) + first, { peer, name });
  }

  #framesOf(conversation: Connection, word: Word): PeerFrame[] {
    const connection = conversation.opener === this ? (conversation.id | openerBit) >>> 0 : conversation.id;
    const offset = this.#offsets.get(conversation) ?? 0;
    if (typeof word === "object") {
      const payload = new Uint8Array(word.bytes);
      const data: DataFrame = { kind: "data", connection, last: true, text: false, offset, payload };
      const frames = pieces([data]);
      this.#offsets.set(conversation, offset + word.bytes + frames.length * limits.frameCostBytes);
      return frames;
    }
    switch (word) {
      case "accept":
        return [{ kind: "credit", connection, received: 0, limit: limits.firstWindowBytes }];
      case "close":
        return [
          { kind: "stop", connection },
          { kind: "fin", connection, offset },
          { kind: "done", connection },
        ];
      case "done":
        return [{ kind: "done", connection }];
      case "reset":
        return [{ kind: "reset", connection, code: errorCodes.rejected, reason: "" }];
    }
  }

  /** Reads what has come. Marks that say nothing of a peer are answered and not kept. */
  read(): void {
    const reading = readingOf(this.link.format.subprotocol);
    for (const message of this.link.messages.splice(0))
      for (const item of reading.itemsIn(message)) {
        const answer = reading.answerToMark(item);
        if (answer === undefined || /\d\.\d/.test(JSON.stringify(item))) this.heard.push(item);
        if (item["type"] === "open") this.#heardOpen(String(item["peer"]), String(item["connection"]), 10, 0);
        if (item["Meta"] === metas.open)
          this.#heardOpen(String(item["OtherClient"]), String(item["ConnectionID"]), 16, 1);
        if (answer !== undefined) this.#say(answer);
      }
  }
}

function original(
  subprotocol: string,
  meta: number,
  otherClient: string,
  connectionId: string,
  text = "",
): WireMessage {
  const message = { meta, otherClient, connectionId, data: new TextEncoder().encode(text) };
  return subprotocol === "mp.v0.gob" ? encodeGob(message) : writeJson(message);
}

class Scene {
  readonly realm: Realm;
  readonly clients: Client[] = [];

  constructor(realm: Realm) {
    this.realm = realm;
  }

  join(shard: number, start: string, options: FakeLinkOptions): Client {
    const session = String(this.clients.length + 1).repeat(32);
    const client = new Client(this.realm, this.realm.join(shard, start, { session, ...options }));
    this.clients.push(client);
    return client;
  }

  leave(client: Client): void {
    this.realm.leave(client.link);
    this.realm.settle();
    this.read();
  }

  /** Everybody reads, and what follows from that is read too. */
  read(): void {
    do for (const client of this.clients) client.read();
    while (this.clients.some(({ link }) => link.messages.length > 0));
  }

  /** A client opens, and the other one answers. */
  connect(opener: Client, acceptor: Client, id: number, peer = acceptor.link.name): Connection {
    opener.open(peer, id);
    this.read();
    const connection = { opener, acceptor, id };
    acceptor.say(connection, "accept");
    this.read();
    return connection;
  }

  /** What each client has heard, with sessions in place of addresses, which differ from realm to realm. */
  get heard(): string[] {
    const addresses = this.clients.map(({ link }): [RegExp, string] => [
      new RegExp(`(?<!\\d)${link.address}(?!\\d)`, "g"),
      `<${link.session.slice(0, 1)}>`,
    ]);
    return this.clients.map((client) =>
      client.heard
        .map((item) => {
          const text = JSON.stringify(item, (key, value: unknown) => {
            const isBytes = value instanceof Uint8Array || (Array.isArray(value) && key === "Data");
            if (isBytes) return `${value.length} bytes`;
            return typeof value === "string" && value.length > 100 ? `${value.length} characters` : value;
          });
          return addresses.reduce((sofar, [address, session]) => sofar.replaceAll(address, session), text);
        })
        .join("\n"),
    );
  }
}

/** Everything that two clients can do with each other. */
function play(realm: Realm, from: FakeLinkOptions, to: FakeLinkOptions): string[] {
  const scene = new Scene(realm);
  const alice = scene.join(0, "alice", from);
  const bob = scene.join(1, "bob", to);
  const closed = scene.connect(alice, bob, 1);
  const reset = scene.connect(bob, alice, 1);
  // More than a frame may have, and than is read for which a client of a by-name format grants credit.
  for (const bytes of [3, 0, 70_000])
    for (const client of [alice, bob])
      for (const connection of [closed, reset]) {
        // The original's wire has no pieces.
        const isOriginal = client.link.format.subprotocol.startsWith("mp.v0");
        client.say(connection, { bytes: isOriginal ? 3 * bytes : bytes });
        scene.read();
      }
  alice.say(closed, "close");
  scene.read();
  bob.say(closed, "close");
  scene.read();
  bob.say(reset, "reset");
  scene.read();
  alice.say(reset, "done");
  scene.read();
  const left = scene.connect(alice, bob, 2);
  alice.open(nameOf(1, "nobody"), 3);
  scene.read();
  scene.leave(bob);
  alice.say(left, { bytes: 1 });
  scene.read();
  return scene.heard;
}

/** A client whose peer has several sessions. */
function playSessions(realm: Realm, from: FakeLinkOptions, to: FakeLinkOptions): string[] {
  const scene = new Scene(realm);
  const alice = scene.join(0, "alice", from);
  const sessions = ["", "", "desk"].map((instance) => scene.join(1, "bob", { ...to, instance }));
  const [first, second, desk] = sessions;
  if (first === undefined || second === undefined || desk === undefined) throw new Error("No sessions");
  const connections = sessions.map((session, at) => scene.connect(session, alice, 5 + at));
  for (const connection of connections) {
    alice.say(connection, { bytes: 1 });
    scene.read();
  }
  // Each by the name: a client of a by-name format means the first one.
  scene.connect(alice, first, 1);
  scene.connect(alice, desk, 2, `${desk.link.name}:desk`);
  scene.leave(first);
  scene.leave(desk);
  alice.open(first.link.name, 3);
  scene.read();
  return scene.heard;
}

const pairs = formats.flatMap((from) => formats.map((to) => [from.subprotocol, to.subprotocol, from, to] as const));

describe.each(pairs)("clients of %s and %s", (_, __, from, to) => {
  test.each([
    ["a guest and a client", play, { grant: grantOf("host", "*", "*", ["*"]) }],
    ["a client and sessions of one name", playSessions, {}],
  ] as const)("hear across shards what they hear on one, also after every sleep: %s", (__, play, options) => {
    const [one, other] = [{ ...options, format: from }, { format: to }];
    const onOne = play(oneShard(), one, other);
    expect(onOne.every((heard) => heard !== "")).toBe(true);
    expect(play(twoShards(false), one, other)).toEqual(onOne);
    expect(play(twoShards(true), one, other)).toEqual(onOne);
  });
});

describe("a client of a format that names its peers, and clients of other shards", () => {
  interface Heard {
    readonly type: string;
    readonly peer?: string;
    readonly code?: string;
    readonly connection?: string;
  }

  function heardBy(link: FakeLink): Heard[] {
    return link.messages.splice(0).flatMap((message) => JSON.parse(String(message)) as Heard | Heard[]);
  }

  function opens(from: FakeLink, ...peers: readonly string[]): string {
    const frames = peers.map((peer, at) => {
      return { type: "open", peer, connection: `${from.name}:${at + 1}`, protocol: "test" };
    });
    return JSON.stringify(frames);
  }

  /** Alice's format is JSON. */
  function aliceAndBob(
    to: Format = native,
    capacity = Infinity,
  ): { shards: FakeShards; alice: FakeLink; bob: FakeLink } {
    const shards = new FakeShards(2, capacity);
    return { shards, alice: shards.join(0, "alice", { format: json }), bob: shards.join(1, "bob", { format: to }) };
  }

  function paired(to?: Format): ReturnType<typeof aliceAndBob> {
    const scene = aliceAndBob(to);
    const { shards, alice, bob } = scene;
    shards.of(alice).routing.receive(alice, opens(alice, bob.name));
    shards.run();
    bob.messages.length = 0;
    return scene;
  }

  test("opens to one name at once go to one session", () => {
    const { shards, alice, bob } = aliceAndBob();
    const other = shards.join(1, "bob", { lastHeardMs: bob.lastHeardMs + 1 });
    shards.of(alice).routing.receive(alice, opens(alice, bob.name, bob.name));
    shards.run();
    expect([bob.take().length, other.take().length]).toEqual([0, 2]);
  });

  test("two clients that open to each other at once have two Connections", () => {
    const { shards, alice, bob } = aliceAndBob();
    shards.of(bob).routing.receive(bob, toRouter(openTo(alice.name)));
    shards.of(alice).routing.receive(alice, opens(alice, bob.name));
    shards.run();
    expect(heardBy(alice)).toMatchObject([{ type: "open", peer: bob.name }]);
    expect(bob.take()).toMatchObject([{ kind: "open" }, { kind: "routed" }]);
    for (const connection of [`${alice.name}:1`, `${bob.name}:1`])
      shards.of(alice).routing.receive(alice, JSON.stringify({ type: "accept", peer: bob.name, connection }));
    shards.run();
    expect(bob.take()).toMatchObject([{ kind: "segment" }, { kind: "segment" }]);
  });

  test("an open to a name is refused where another session of that name opened at the same time", () => {
    const { shards, alice, bob } = aliceAndBob();
    const newest = shards.join(1, "bob", { lastHeardMs: bob.lastHeardMs + 1 });
    shards.of(bob).routing.receive(bob, toRouter(openTo(alice.name)));
    shards.of(alice).routing.receive(alice, opens(alice, bob.name));
    shards.run();
    expect(heardBy(alice)).toMatchObject([
      { type: "open", peer: bob.name },
      { type: "refused", code: "busy" },
    ]);
    expect(newest.take()).toMatchObject([{ kind: "open" }, { kind: "gone", address: alice.address }]);
    expect(bob.take()).toMatchObject([{ kind: "routed" }]);
    shards.of(alice).routing.receive(alice, opens(alice, bob.name));
    shards.run();
    expect(bob.take()).toMatchObject([{ kind: "open" }]);
  });

  test("an open is refused where a client's list of peers filled up meanwhile, and its link goes on", () => {
    const { shards, alice, bob } = aliceAndBob(native, 1);
    const carol = shards.join(1, "carol");
    shards.of(alice).routing.receive(alice, opens(alice, bob.name, carol.name));
    shards.run();
    expect(heardBy(alice)).toMatchObject([{ type: "refused", connection: `${alice.name}:2`, code: "busy" }]);
    expect(carol.take()).toMatchObject([{ kind: "open" }, { kind: "gone", address: alice.address }]);
    expect(alice.closed).toBeUndefined();
  });

  test("a trunk that breaks ends its Connections, and refuses an open that may have arrived", () => {
    const { shards, alice, bob } = paired();
    const { routing } = shards.of(alice);
    routing.receive(alice, opens(alice, bob.name));
    const [call] = shards.calls.splice(0);
    if (call !== undefined) shards.end(call, "reset");
    expect(heardBy(alice)).toMatchObject([
      { type: "gone", peer: bob.name },
      { type: "refused", code: "busy" },
    ]);
    expect(alice.closed).toBeUndefined();
    shards.of(alice).runtime.pass(routerLimits.firstTrunkPauseMs);
    shards.run();
    expect(bob.take()).toMatchObject([{ kind: "gone", address: alice.address }]);
    shards.send(bob, toRouter({ kind: "resume", session: alice.session, peer: alice.name }));
    expect(bob.take()).toMatchObject([{ kind: "absent", reason: goneReasons.ended }]);
  });

  test("new rules that allow something leave its pairs, and its peers check what they have", () => {
    const { shards, alice, bob } = paired();
    shards.changeRules("deny * -> * : other");
    expect(heardBy(alice)).toEqual([]);
    expect(bob.take()).toMatchObject([{ kind: "rulesChanged", address: alice.address }]);
    shards.changeRules("default closed");
    expect(heardBy(alice)).toMatchObject([{ type: "gone", peer: bob.name, reason: "forbidden" }]);
    expect(bob.take()).toMatchObject([{ kind: "gone", address: alice.address, reason: goneReasons.forbidden }]);
  });

  test("new rules end its pairs with clients that can't check either", () => {
    const { shards, alice, bob } = paired(json);
    shards.changeRules("deny * -> * : other");
    for (const link of [alice, bob]) expect(heardBy(link)).toMatchObject([{ type: "gone", reason: "forbidden" }]);
  });
});
