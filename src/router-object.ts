import { DurableObject } from "cloudflare:workers";
import { goneReasons, heartbeat, type Invitation, ProtocolError } from "@messagepasser/protocol";
import { Addresses } from "./realm/addresses.ts";
import { AuditLog } from "./realm/audit-log.ts";
import { closings, malformed } from "./routing/closings.ts";
import { CredentialStore } from "./credentials/credential-store.ts";
import type { Env } from "./env.ts";
import { type Admission, admissionOf } from "./realm/admission.ts";
import type { Grant } from "./routing/link.ts";
import { type AdminMethod, RealmAdmin } from "./realm/realm-admin.ts";
import { Routing } from "./routing/routing.ts";
import { RuleStore } from "./realm/rule-store.ts";
import { closeUnreadable, SocketLink } from "./realm/socket-link.ts";
import { SocketLinks } from "./realm/socket-links.ts";
import { belongsIntoStorage, Counters, keep, type KeptSums, merged, reportOf, sumsIn } from "./realm/usage.ts";
import { UsageStore } from "./realm/usage-store.ts";

/** How long to wait before KV is tried again: twice as long each time, since a used-up daily quota lasts for hours. */
const kvRetryMs = { first: 2_000, most: 900_000 };

/** No alarm is set for later: times that clients name may be as late as they like. */
const longestSleepMs = 30 * 86_400_000;

/**
 * One realm: its clients' sockets and its credentials. A shell: `Routing` decides where frames go, `CredentialStore`
 * who may come in. Between events it may hibernate, so all that must last is in sockets' attachments or in storage.
 */
export class RouterObject extends DurableObject<Env> {
  readonly #links: SocketLinks;
  readonly #routing: Routing;
  readonly #addresses: Addresses;
  readonly #realm: string;
  readonly #counters = new Counters(Date.now());
  readonly #usage: UsageStore;
  /** The link that keeps what was counted since the wake. */
  #usageKeeper: SocketLink | undefined;
  #store: CredentialStore | undefined;
  #ruleStore: RuleStore | undefined;
  #audit: AuditLog | undefined;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    // Objects are only ever made by name: see connect.ts and admin.ts.
    this.#realm = context.id.name ?? "";
    this.#links = new SocketLinks(context, this.#counters);
    this.#routing = new Routing(this.#links, this.#realm, {
      now: () => Date.now(),
      randomU32,
      rules: () => this.#rules.current,
      abort: (reason) => {
        console.error("The realm's object ends itself", reason);
        context.abort(reason);
      },
    });
    this.#addresses = new Addresses(context.storage.kv);
    this.#usage = new UsageStore(context.storage);
    context.setWebSocketAutoResponse(new WebSocketRequestResponsePair(heartbeat.ping, heartbeat.pong));
  }

  get #rules(): RuleStore {
    return (this.#ruleStore ??= new RuleStore(this.ctx.storage.sql));
  }

  get #credentials(): CredentialStore {
    const { storage } = this.ctx;
    return (this.#store ??= new CredentialStore(
      storage.sql,
      this.env.CREDENTIALS,
      this.env.MP_PEPPER ?? "",
      this.#realm,
    ));
  }

  /** Takes an upgrade that the Worker let through. */
  override fetch(request: Request): Response {
    const admission = admissionOf(request);
    // A Worker of another version: its clients come back when the deploy is through.
    if (admission === undefined) return new Response(null, { status: 503 });
    this.#counters.upgrades += 1;
    if (!this.#lets(admission)) {
      this.#keepUsage();
      return new Response(null, { status: 401 });
    }
    const { 0: client, 1: socket } = new WebSocketPair();
    this.#keepUsage(this.#accept(socket, admission));
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { "sec-websocket-protocol": admission.format },
    });
  }

  /** The last word on who comes in: KV may lag. */
  #lets({ identity, session }: Admission): boolean {
    const { name, credential, invitation } = identity;
    if (credential !== undefined) return this.#credentials.admit(name, credential);
    if (invitation === undefined) return true;
    const isLet = this.#credentials.admitGuest(name, session, invitation);
    // It ends with its time, whatever it does then.
    if (isLet) void this.#wakeBy(invitation.expiresAtMs);
    return isLet;
  }

  #accept(socket: WebSocket, { identity, session, resumes, format }: Admission): SocketLink {
    const { name, credential, invitation } = identity;
    const revision = (credential ?? invitation)?.revision ?? 0;
    const grant = invitation && grantIn(invitation);
    const [address, connectedAtMs] = [this.#addresses.take(), Date.now()];
    const link = SocketLink.create(this.ctx, this.#counters, socket, {
      address,
      name,
      session,
      resumes,
      format,
      revision,
      connectedAtMs,
      grant,
    });
    this.#routing.join(link);
    return link;
  }

  // No await here: a second message of the same socket would overtake the first.
  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const message = typeof data === "string" ? data : new Uint8Array(data);
    this.#counters.messagesIn += 1;
    this.#counters.bytesIn += message.length;
    // It may be closing: what its client sent before a close comes while the close is known already.
    const link = this.#links.of(socket);
    // Nothing to do for one that the router closed before it slept: messages that were on the way then still come.
    if (link === undefined) closeUnreadable(this.ctx, this.#counters, socket);
    else this.#receive(link, message);
    if (this.#counters.isDue) this.#keepUsage(link);
  }

  #receive(link: SocketLink, message: string | Uint8Array<ArrayBuffer>): void {
    try {
      const isOn = this.#routing.receive(link, message);
      if (!isOn) this.#routing.drop(link, goneReasons.over, closings.bye);
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
    // The runtime doesn't answer a close on a hibernatable socket.
    if (socket.readyState === WebSocket.CLOSED) return;
    if (isSendable(code)) socket.close(code, reason);
    else socket.close(1000);
  }

  override webSocketError(socket: WebSocket): void {
    this.#left(socket);
  }

  #left(socket: WebSocket): void {
    const link = this.#links.of(socket);
    if (link !== undefined) this.#routing.leave(link, goneReasons.lost);
    if (this.#counters.isDue) this.#keepUsage();
  }

  /**
   * Keeps what was counted beyond the object's memory: in the attachment of a link that is at hand, since that costs
   * nothing, and in storage where there is none, or where the link keeps much already.
   */
  #keepUsage(link?: SocketLink): void {
    const nowMs = Date.now();
    const sums = this.#counters.drain(nowMs);
    // The attachment of a link that is over says so, and nothing else.
    if (link === undefined || link.memory.isOver) {
      this.#usage.add(sums, nowMs);
      return;
    }
    let kept = keep(sums, link.usage, nowMs);
    // Handed on, so that one link keeps all since the wake: there would be a row an hour for each, otherwise.
    const before = this.#usageKeeper;
    this.#usageKeeper = link;
    if (before?.usage !== undefined && before !== link && !before.memory.isOver) {
      kept = merged(kept, before.usage);
      before.usage = undefined;
    }
    const isStored = belongsIntoStorage(kept, nowMs);
    if (isStored) this.#usage.add(sumsIn(kept), nowMs);
    link.usage = isStored ? undefined : kept;
  }

  *#usageOfLinks(): Iterable<KeptSums> {
    for (const { usage } of this.#links.all()) if (usage !== undefined) yield usage;
  }

  /** Administers the realm. @param who is named in the audit trail */
  async administer<Method extends AdminMethod>(
    who: string,
    method: Method,
    ...parameters: Parameters<RealmAdmin[Method]>
  ): Promise<Awaited<ReturnType<RealmAdmin[Method]>>> {
    this.#counters.adminCalls += 1;
    this.#keepUsage();
    const admin = new RealmAdmin(
      {
        credentials: this.#credentials,
        rules: this.#rules,
        audit: (this.#audit ??= new AuditLog(this.ctx.storage.sql)),
        atomically: (change) => this.ctx.storage.transactionSync(change),
        changed: async (name) => {
          this.#closeUnfit(name);
          await this.#copyToKv(name);
        },
        rulesChanged: (before) => {
          this.#routing.changeRules(before);
        },
        usage: () => reportOf(this.#usage.kept, this.#usageOfLinks(), Date.now()),
      },
      who,
    );
    // The method's own parameters and result, which the compiler can't follow through the index.
    const call = admin[method] as (...parameters: unknown[]) => unknown;
    return (await call.apply(admin, parameters)) as Awaited<ReturnType<RealmAdmin[Method]>>;
  }

  /** Closes what a client's secrets no longer let in: its link, and those of its guests. */
  #closeUnfit(name: string): void {
    const own = this.#links.byName(name);
    // A guest of that name was there before the client was added.
    const isGuest = own?.grant !== undefined && this.#credentials.info(name) !== undefined;
    if (own !== undefined && (isGuest || this.#isUnfit(name, own)))
      this.#routing.drop(own, goneReasons.over, closings.revoked);
    for (const guest of this.#links.guestsOf(name)) {
      if (!this.#credentials.stands(name, guest.revision))
        this.#routing.drop(guest, goneReasons.over, closings.revoked);
    }
  }

  #isUnfit(name: string, { grant, revision }: SocketLink): boolean {
    // An authenticator of the deployer's own knows no revisions.
    return grant === undefined && revision !== 0 && !this.#credentials.stands(name, revision);
  }

  async #copyToKv(name: string): Promise<void> {
    const { storage } = this.ctx;
    // Set together with the change itself, so that it gets to KV also if KV fails or the object stops in between.
    void storage.setAlarm(Date.now() + kvRetryMs.first);
    storage.kv.delete("kvAttempts");
    try {
      await this.#credentials.copyToKv(name);
      if (!this.#credentials.isKvBehind) await this.#alarmAtExpiry();
    } catch (error) {
      console.warn("Cannot write a credential to KV: the alarm tries again", error);
    }
  }

  async #alarmAtExpiry(): Promise<void> {
    const { storage } = this.ctx;
    const atMs = this.#credentials.nextExpiryMs;
    if (atMs === undefined) await storage.deleteAlarm();
    else await storage.setAlarm(Math.min(atMs, Date.now() + longestSleepMs));
  }

  async #wakeBy(atMs: number): Promise<void> {
    const { storage } = this.ctx;
    const knownMs = await storage.getAlarm();
    const wakeMs = Math.min(atMs, Date.now() + longestSleepMs);
    if (knownMs === null || knownMs > wakeMs) await storage.setAlarm(wakeMs);
  }

  /** Something has expired, or KV lacks a change. */
  override async alarm(): Promise<void> {
    const { storage } = this.ctx;
    this.#counters.alarms += 1;
    this.#keepUsage();
    for (const name of this.#credentials.expire()) this.#closeUnfit(name);
    for (const guest of this.#links.guests()) {
      if (guest.grant !== undefined && guest.grant.expiresAtMs <= Date.now())
        this.#routing.drop(guest, goneReasons.over, closings.expired);
    }
    const isTaken = await this.#credentials.syncToKv();
    if (isTaken && !this.#credentials.isKvBehind) {
      await this.#alarmAtExpiry();
      return;
    }
    const attempts = isTaken ? 0 : (storage.kv.get<number>("kvAttempts") ?? 0) + 1;
    storage.kv.put("kvAttempts", attempts);
    await storage.setAlarm(Date.now() + Math.min(kvRetryMs.most, kvRetryMs.first * 2 ** attempts));
    // Whatever becomes of KV.
    const expiryMs = this.#credentials.nextExpiryMs;
    if (expiryMs !== undefined) await this.#wakeBy(expiryMs);
  }
}

/** What a link has to remember of the invitation that it was opened with. */
function grantIn({ host, peer, protocol, expiresAtMs }: Invitation): Grant {
  return { host, peer, protocol, expiresAtMs };
}

function randomU32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Whether a close frame may carry a code. The runtime throws for those that mustn't, but reports them (RFC 6455, 7.4). */
function isSendable(closeCode: number): boolean {
  return closeCode >= 1000 && closeCode <= 4999 && ![1004, 1005, 1006, 1015].includes(closeCode);
}
