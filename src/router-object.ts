import { DurableObject } from "cloudflare:workers";
import { goneReasons, heartbeat, ProtocolError, routerLimits } from "@messagepasser/protocol";
import type { RealmLayout } from "@messagepasser/protocol/admin";
import type { Env } from "./env.ts";
import { Addresses } from "./realm/addresses.ts";
import {
  type Admission,
  type AdmittingObject,
  type Busy,
  busyResponse,
  type Moved,
  movedResponse,
  type Upgrade,
  upgradeIn,
} from "./realm/admission.ts";
import { newAttachment } from "./realm/attachment.ts";
import { callsUrl, takeCallsOverSocket } from "./realm/call-socket.ts";
import { Expulsions } from "./realm/expulsions.ts";
import type { GrowthSteps } from "./realm/growth.ts";
import { KnownRealms } from "./realm/known-realms.ts";
import { Load } from "./realm/load.ts";
import { Place } from "./realm/place.ts";
import { after, randomU32 } from "./realm/platform.ts";
import {
  type AdministeredObject,
  type AdminMethod,
  type Asker,
  type DirectoryObject,
  methodsOfNames,
  RealmAdmin,
  restartReason,
} from "./realm/realm-admin.ts";
import { Registry } from "./realm/registry.ts";
import { RuleStore } from "./realm/rule-store.ts";
import { type CalledObject, ShardCaller } from "./realm/shard-caller.ts";
import { answerClose, closeUnreadable, SocketLink } from "./realm/socket-link.ts";
import { SocketLinks } from "./realm/socket-links.ts";
import type { SharedChanges } from "./realm/shared-store.ts";
import type { ToldObject } from "./realm/sharing.ts";
import { trunksOf } from "./realm/trunks-of.ts";
import { UsageKeeper } from "./realm/usage-keeper.ts";
import { closings, malformed } from "./routing/closings.ts";
import { Routing } from "./routing/routing.ts";
import type { Rules } from "./routing/rules.ts";
import { addressesOf } from "./shards/address.ts";
import { nextCheckMs } from "./shards/check-time.ts";
import { shardNamed } from "./shards/object-name.ts";
import type { Trunks } from "./shards/trunks.ts";

/**
 * One realm. This class turns the platform's events into calls: `Routing` decides where frames go, `Registry` who may have
 * a link. The object may hibernate between events, so lasting state is in sockets' attachments and in storage.
 */
export class RouterObject
  extends DurableObject<Env>
  implements AdministeredObject, AdmittingObject, CalledObject, DirectoryObject, ToldObject
{
  readonly #realm: string;
  /** Which shard of the realm this is. */
  readonly #place: Place;
  readonly #trunks: Trunks;
  /** Whether an alarm will find out whether other shards still have their links, as far as is known since the wake. */
  #checksShards = false;
  readonly #usage: UsageKeeper;
  readonly #known: KnownRealms;
  readonly #links: SocketLinks;
  readonly #expulsions: Expulsions;
  readonly #load: Load;
  readonly #routing: Routing;
  readonly #addresses: Addresses;
  #openedRegistry: Registry | undefined;
  #openedRules: RuleStore | undefined;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    // The Worker gets objects by name only.
    const { realm, shard } = shardNamed(context.id.name ?? "");
    this.#realm = realm;
    this.#usage = new UsageKeeper(context.storage);
    this.#known = new KnownRealms(context.storage);
    this.#links = new SocketLinks(context, this.#usage.counters);
    this.#load = new Load({
      now: () => Date.now(),
      after,
      shed: () => {
        this.#expulsions.ofNewest();
      },
    });
    const caller = new ShardCaller({ env, realm }, this.#usage, () => this.#place.layout.location);
    this.#place = this.#placeOf(shard, caller);
    this.#trunks = trunksOf({
      place: this.#place,
      caller,
      routing: () => this.#routing,
      paired: () => {
        this.#paired();
      },
    });
    this.#expulsions = new Expulsions({
      links: this.#links,
      place: this.#place,
      registry: () => this.#registry,
      rules: () => this.#rules.current,
      drop: (link, reason, closing) => {
        this.#routing.drop(link, reason, closing);
      },
    });
    const runtime = {
      now: () => Date.now(),
      randomU32,
      rules: () => this.#rules.current,
      after,
      abort: (reason: string) => {
        console.error("The realm's object ends itself", reason);
        this.ctx.abort(reason);
      },
    };
    this.#routing = new Routing(this.#links, realm, runtime, this.#trunks);
    this.#addresses = new Addresses(
      context.storage.kv,
      addressesOf(shard),
      (address) => this.#links.byAddress(address) !== undefined,
    );
    // After a sleep there are sockets: without any, the links that other shards may know of are gone.
    if (this.#place.layout.count > 1 && context.getWebSockets().length === 0) this.#trunks.reset();
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair(heartbeat.ping, heartbeat.pong));
  }

  #placeOf(shard: number, caller: ShardCaller): Place {
    return new Place({
      shard,
      storage: this.ctx.storage,
      ask: caller.ask,
      registry: () => this.#registry,
      grown: () => {
        this.#trunks.grow(this.#place.layout.count);
        this.#routing.grown();
      },
      gaveNames: () => {
        this.#expulsions.ofMoved();
      },
    });
  }

  /** A link here is paired with one of another shard. */
  #paired(): void {
    if (this.#checksShards) return;
    this.#checksShards = true;
    void this.#registry.alarms.wakeBy(nextCheckMs(this.#realm, Date.now()));
  }

  // These are opened when they are first needed: most wakes need none of them.
  get #rules(): RuleStore {
    return (this.#openedRules ??= new RuleStore(this.ctx.storage));
  }

  get #registry(): Registry {
    return (this.#openedRegistry ??= new Registry(this.ctx.storage, this.env, this.#realm, {
      rules: () => this.#rules,
      nextCheckMs: () => this.#nextCheckMs(),
    }));
  }

  /** Opens a link for an upgrade that the Worker has admitted. */
  override fetch(request: Request): Response {
    if (request.url === callsUrl) return takeCallsOverSocket((call) => this.takeCall(call, "callMessages"));
    this.#load.noteEvent();
    const upgrade = upgradeIn(request);
    // The Worker has another version. The client comes back when the deploy is complete.
    if (upgrade === undefined) return busyResponse(restarting);
    const moved = this.#place.movedOf(upgrade.admission, upgrade.shards);
    if (moved !== undefined) return movedResponse(moved);
    const refused = this.#refusalOf(upgrade);
    if (refused !== undefined) {
      this.#usage.counters.addCall("upgrades");
      this.#usage.keepIfDue();
      return refused === "unauthorized" ? new Response(null, { status: 401 }) : busyResponse(refused);
    }
    this.#usage.counters.upgrades += 1;
    const { 0: client, 1: socket } = new WebSocketPair();
    const attachment = newAttachment(upgrade, this.#addresses.take());
    const link = new SocketLink(this.ctx, this.#usage.counters, socket, attachment);
    try {
      this.#routing.join(link);
    } catch (error) {
      console.warn("The runtime takes no more sockets for this object", error);
      return busyResponse(overloaded);
    }
    this.#usage.keep(link);
    const { credential, invitation, token } = upgrade.admission;
    if (credential === undefined && invitation === undefined && token === undefined)
      void this.#known.makeKnown(this.env, this.#realm);
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { "sec-websocket-protocol": upgrade.format },
    });
  }

  /** What another shard tells this one. */
  takeCall(bytes: Uint8Array, counter: "calls" | "callMessages" = "calls"): Uint8Array {
    this.#load.noteEvent();
    this.#usage.countCall(counter);
    this.#routing.beginCall();
    try {
      return this.#trunks.receive(bytes);
    } finally {
      this.#routing.endCall();
    }
  }

  takeShared(changes: SharedChanges): number {
    this.#usage.countCall("calls");
    const { shared } = this.#registry;
    const before = shared.version;
    const rules = changes.rules && this.#rules.current;
    shared.adopt(changes);
    if (shared.version !== before) {
      if (rules !== undefined) this.#applyRules(rules);
      this.#expulsions.ofRevoked();
    }
    return shared.version;
  }

  wouldAdmit(
    admission: Admission,
    session: string | undefined,
    shards = this.#place.layout.count,
  ): boolean | Busy | Moved {
    const moved = this.#place.movedOf(admission, shards);
    if (moved !== undefined) return moved;
    this.#usage.counters.tickets += 1;
    this.#usage.keepIfDue();
    return this.#busyFor(admission) ?? this.#registry.wouldAdmit(admission, session);
  }

  /** Why a client that hasn't been asked for anything yet is not let in now, if so. */
  #busyFor(admission: Admission): Busy | undefined {
    if (this.#load.isOver) return overloaded;
    return this.#registry.isBehind(admission) ? restarting : undefined;
  }

  /** Why an upgrade gets no link. The Worker makes a problem of it. */
  #refusalOf({ admission, session, instance }: Upgrade): "unauthorized" | Busy | undefined {
    const { name, invitation, token } = admission;
    const isGuest = invitation !== undefined;
    if (isGuest && !this.#rules.current.mayInvite(invitation.host)) return "unauthorized";
    if (!this.#links.hasRoom({ name, session, instance })) return restarting;
    const busy = this.#busyFor(admission);
    if (busy !== undefined) return busy;
    // First: neither a former secret nor a used invitation may use a rate up.
    if (!this.#registry.wouldAdmit(admission, session)) return "unauthorized";
    const mayJoin = (): boolean => this.#routing.mayJoin({ name, grant: invitation, token });
    // Before a guest costs a row.
    if (isGuest && !(this.#links.hasRoomForGuest(invitation.host, session) && mayJoin())) return restarting;
    if (!this.#registry.noteUse(admission, session)) return "unauthorized";
    return isGuest || mayJoin() ? undefined : restarting;
  }

  // No await here: a second message of the same socket would overtake the first.
  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    this.#load.noteEvent();
    const message = typeof data === "string" ? data : new Uint8Array(data);
    this.#usage.counters.messagesIn += 1;
    this.#usage.counters.bytesIn += message.length;
    // The socket may be closing: messages that the client sent before its close come after the close is known. The runtime
    // can't end a socket whose client never answers the close.
    const link = this.#links.of(socket);
    if (link === undefined || link.memory.isOver) this.#usage.counters.messagesAfterClose += 1;
    // Does nothing if the router closed the socket before the object hibernated.
    if (link === undefined) closeUnreadable(this.ctx, this.#usage.counters, socket);
    else this.#receive(link, message);
    this.#usage.keepIfDue(link);
  }

  #receive(link: SocketLink, message: string | Uint8Array<ArrayBuffer>): void {
    try {
      const isOn = this.#routing.receive(link, message);
      if (!isOn) this.#routing.drop(link, goneReasons.ended, closings.bye);
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.#routing.drop(link, goneReasons.lost, malformed(error.message));
      } else {
        console.error("Cannot route a batch", error);
        this.#routing.drop(link, goneReasons.lost, closings.failed);
      }
    }
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    this.#left(socket);
    answerClose(socket, code, reason);
  }

  override webSocketError(socket: WebSocket): void {
    this.#left(socket);
  }

  #left(socket: WebSocket): void {
    const link = this.#links.of(socket);
    if (link !== undefined) this.#routing.leave(link, goneReasons.lost);
    this.#usage.keepIfDue();
  }

  // The two are asked of one object that is no realm: see admin/realms.ts.
  knowsRealm(realm: string): boolean {
    return this.#known.has(realm);
  }

  noteRealm(realm: string): void {
    this.#known.add(realm);
  }

  async administer<Method extends AdminMethod>(
    { who, shards }: Asker,
    method: Method,
    ...parameters: Parameters<RealmAdmin[Method]>
  ): Promise<Awaited<ReturnType<RealmAdmin[Method]>> | Moved> {
    const moved = this.#place.movedFor(shards, methodsOfNames[method], parameters[0] as string);
    if (moved !== undefined) return moved;
    this.#usage.counters.addCall("adminCalls");
    this.#usage.keepIfDue();
    const { credentials, guests, keys, audit, alarms } = this.#registry;
    const admin = new RealmAdmin(
      {
        credentials,
        guests,
        keys,
        audit,
        rules: this.#rules,
        atomically: (change) => this.ctx.storage.transactionSync(change),
        credentialsChanged: async (name) => {
          this.#expulsions.ofClient(name);
          await alarms.copyToKv(name);
        },
        tokensChanged: async () => {
          this.#expulsions.ofRevoked();
          const [unconfirmed] = await Promise.all([alarms.tellShards(), alarms.copyToKv()]);
          return unconfirmed;
        },
        rulesChanged: async (before) => {
          const telling = alarms.tellShards();
          this.#applyRules(before);
          return await telling;
        },
        usage: () => ({ ...this.#usage.report(this.#links.all()), unclosed: this.#links.unclosed() }),
        layout: this.#place.layout,
        targetChanged: async () => {
          await alarms.wakeBy(this.#place.nextGrowthMs);
          this.#place.growOn();
        },
        restart: async () => {
          this.#usage.keepAll(this.#links.all());
          await this.ctx.storage.sync();
          this.ctx.abort(restartReason);
        },
      },
      who,
    );
    // Which parameters and result belong to a method is more than the compiler can follow through the index.
    const call = admin[method] as (...parameters: unknown[]) => unknown;
    return (await call.apply(admin, parameters)) as Awaited<ReturnType<RealmAdmin[Method]>>;
  }

  layout(): RealmLayout {
    return { ...this.#place.layout.shown, ...this.#registry.sharing.unconfirmed };
  }

  /** A step of the realm's growth, as the first shard asks for it. */
  growthStep<Step extends keyof GrowthSteps>(step: Step, ...parameters: Parameters<GrowthSteps[Step]>): unknown {
    return this.#place.step(step, parameters);
  }

  #applyRules(before: Rules): void {
    this.#routing.changeRules(before);
    this.#expulsions.ofUninvited();
  }

  override async alarm(): Promise<void> {
    this.#usage.counters.alarms += 1;
    this.#usage.keep();
    for (const name of this.#registry.expire()) this.#expulsions.ofClient(name);
    this.#expulsions.ofExpired();
    this.#routing.checkShards();
    this.#place.growOn();
    await this.#registry.alarms.advance();
  }

  /** When to look for expired tokens, at other shards, and at the realm's growth, next, in milliseconds since 1970; `undefined` for never. */
  #nextCheckMs(): number | undefined {
    this.#checksShards = this.#routing.isPairedElsewhere;
    let nextMs = this.#checksShards ? nextCheckMs(this.#realm, Date.now()) : Infinity;
    for (const { token } of this.#links.holders()) nextMs = Math.min(nextMs, token?.expiresAtMs ?? Infinity);
    nextMs = Math.min(Math.max(nextMs, Date.now() + routerLimits.minExpiryPauseMs), this.#place.nextGrowthMs);
    return nextMs === Infinity ? undefined : nextMs;
  }
}

const restarting: Busy = { busy: "restarting" };
const overloaded: Busy = { busy: "overloaded" };
