import { DurableObject } from "cloudflare:workers";
import { goneReasons, heartbeat, ProtocolError } from "@messagepasser/protocol";
import { closings, malformed } from "./closings.ts";
import { type ClientInfo, CredentialStore, type NewSecret } from "./credential-store.ts";
import type { Env } from "./env.ts";
import { type Admission, admissionOf } from "./identity.ts";
import { Routing } from "./routing.ts";
import { RuleStore } from "./rule-store.ts";
import { type Decision, RulesError } from "./rules.ts";
import { Addresses, closeUnreadable, SocketLink, SocketLinks } from "./socket-link.ts";

/** How long to wait before KV is tried again: twice as long each time, since a used-up daily quota lasts for hours. */
const kvRetryMs = { first: 2_000, most: 900_000 };

/**
 * One realm: its clients' sockets and its credentials. A shell: `Routing` decides where frames go, `CredentialStore`
 * who may come in. Between events it may hibernate, so all that must last is in sockets' attachments or in storage.
 */
export class RouterObject extends DurableObject<Env> {
  readonly #links: SocketLinks;
  readonly #routing: Routing;
  readonly #addresses: Addresses;
  readonly #realm: string;
  #store: CredentialStore | undefined;
  #ruleStore: RuleStore | undefined;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    // Objects are only ever made by name: see connect.ts and admin.ts.
    this.#realm = context.id.name ?? "";
    this.#links = new SocketLinks(context);
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
    const { name, credential } = admission.identity;
    if (credential !== undefined && !this.#credentials.accepts(name, credential))
      return new Response(null, { status: 401 });

    const { 0: client, 1: socket } = new WebSocketPair();
    this.#accept(socket, admission);
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { "sec-websocket-protocol": admission.format },
    });
  }

  #accept(socket: WebSocket, { identity, session, resumes, format }: Admission): void {
    const { name, credential } = identity;
    const revision = credential?.revision ?? 0;
    const [address, connectedAtMs] = [this.#addresses.take(), Date.now()];
    this.#routing.join(
      SocketLink.create(this.ctx, socket, { address, name, session, resumes, format, revision, connectedAtMs }),
    );
  }

  // No await here: a second message of the same socket would overtake the first.
  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    // It may be closing: what its client sent before a close comes while the close is known already.
    const link = this.#links.of(socket);
    if (link === undefined) {
      // Nothing to do for one that the router closed before it slept: messages that were on the way then still come.
      closeUnreadable(this.ctx, socket);
      return;
    }
    try {
      const isOn = this.#routing.receive(link, typeof message === "string" ? message : new Uint8Array(message));
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
  }

  /** Admin: adds a client; `undefined` if the name is taken. */
  async addClient(name: string): Promise<NewSecret | undefined> {
    const client = this.#credentials.add(name);
    if (client !== undefined) await this.#copyToKv(name);
    return client;
  }

  /** Admin: a page of clients. */
  listClients(cursor: string, limit: number): { clients: ClientInfo[]; cursor?: string } {
    return this.#credentials.list(cursor, limit);
  }

  /** Admin: a new secret for a client; links opened with an older one are closed. `undefined` if there is no such client. */
  async rotateClient(name: string): Promise<NewSecret | undefined> {
    const client = this.#credentials.rotate(name);
    this.#closeRevoked(name);
    if (client !== undefined) await this.#copyToKv(name);
    return client;
  }

  /** Admin: ends a client's secret and its link; false if there is no such client. */
  async revokeClient(name: string): Promise<boolean> {
    const existed = this.#credentials.revoke(name);
    this.#closeRevoked(name);
    if (existed) await this.#copyToKv(name);
    return existed;
  }

  /** Admin: the realm's rules as text. */
  rulesText(): string {
    return this.#rules.text;
  }

  /** Admin: takes other rules, also for what is open; or says why they can't be read. */
  replaceRules(text: string): { problem?: string } {
    const before = this.#rules.current;
    try {
      this.#rules.replace(text);
    } catch (error) {
      if (error instanceof RulesError) return { problem: error.message };
      throw error;
    }
    this.#routing.changeRules(before);
    return {};
  }

  /** Admin: what the rules say of an open. */
  decide(opener: string, peer: string, protocol: string): Decision {
    return this.#rules.current.decide(opener, peer, protocol);
  }

  #closeRevoked(name: string): void {
    const link = this.#links.byName(name);
    if (link === undefined || link.revision === 0 || link.revision >= this.#credentials.leastRevision(name)) return;
    this.#routing.drop(link, goneReasons.over, closings.revoked);
  }

  async #copyToKv(name: string): Promise<void> {
    const { storage } = this.ctx;
    // Set together with the change itself, so that it gets to KV also if KV fails or the object stops in between.
    void storage.setAlarm(Date.now() + kvRetryMs.first);
    storage.kv.delete("kvAttempts");
    try {
      await this.#credentials.copyToKv(name);
      if (!this.#credentials.isKvBehind) await storage.deleteAlarm();
    } catch (error) {
      console.warn("Cannot write a credential to KV: the alarm tries again", error);
    }
  }

  override async alarm(): Promise<void> {
    const { storage } = this.ctx;
    const isTaken = await this.#credentials.syncToKv();
    if (isTaken && !this.#credentials.isKvBehind) return;
    const attempts = isTaken ? 0 : (storage.kv.get<number>("kvAttempts") ?? 0) + 1;
    storage.kv.put("kvAttempts", attempts);
    await storage.setAlarm(Date.now() + Math.min(kvRetryMs.most, kvRetryMs.first * 2 ** attempts));
  }
}

function randomU32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Whether a close frame may carry a code. The runtime throws for those that mustn't, but reports them (RFC 6455, 7.4). */
function isSendable(closeCode: number): boolean {
  return closeCode >= 1000 && closeCode <= 4999 && ![1004, 1005, 1006, 1015].includes(closeCode);
}
