// The opaque relay for the router's client: an object that answers what a client needs before it sends, and then hands
// each WebSocket message, unread, to the only other client.
import {
  encodeBatch,
  heartbeat,
  limits,
  routerAddress,
  RouterFrameReader,
  type RouterFrameOf,
  segmentHeaderBytes,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import { PairObject } from "../pair-object.ts";

interface RelayEnv {
  readonly RELAY: DurableObjectNamespace<Relay>;
}

interface Client {
  readonly name: string;
  readonly session: string;
}

/** Each client's address of the other. Since both have the same one, no segment has to be rewritten. */
const otherAddress = 1;

export class Relay extends PairObject<RelayEnv> {
  constructor(state: DurableObjectState, env: RelayEnv) {
    super(state, env);
    // Without an answer, clients would take idle links for lost.
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(heartbeat.ping, heartbeat.pong));
  }

  override fetch(request: Request): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    const { name, session } = clientOf(request);
    this.accept(socket);
    socket.serializeAttachment({ name, session } satisfies Client);
    setTimeout(() => {
      const budget = limits.maxBudgetBytes;
      socket.send(encodeBatch(routerAddress, { kind: "welcome", session, name, realm: "main", budget }));
    });
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { "sec-websocket-protocol": subprotocols.native },
    });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const other = this.otherOf(socket);
    if (typeof message === "string" || other === undefined) return;
    if (isForPeer(message)) other.send(message);
    else answer(socket, other, new Uint8Array(message));
  }
}

/** Whether a batch is a single segment for the other client. */
function isForPeer(batch: ArrayBuffer): boolean {
  if (batch.byteLength < segmentHeaderBytes) return false;
  const header = new DataView(batch);
  return header.getUint32(0) !== routerAddress && header.getUint32(4) === batch.byteLength - segmentHeaderBytes;
}

/** Lets opens through, and says when a `measure` came; the client asks for nothing else here. All else is passed on. */
function answer(from: WebSocket, to: WebSocket, batch: Uint8Array): void {
  const segments = new SegmentReader(batch);
  while (segments.next()) {
    const { address, headerStart, start, end } = segments;
    if (address !== routerAddress) {
      to.send(batch.subarray(headerStart, end));
      continue;
    }
    const frames = new RouterFrameReader(batch, start, end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next())
      if (frame.kind === "open") open(from, to, frame);
      else if (frame.kind === "measure")
        from.send(encodeBatch(routerAddress, { kind: "measured", timeMs: Date.now() >>> 0 }));
  }
}

function open(from: WebSocket, to: WebSocket, frame: RouterFrameOf<"open">): void {
  const { connection, protocol, limit, metadata, flags, first } = frame;
  // `fetch` has written both.
  const [opener, { session, name: peer }] = [from, to].map((socket) => socket.deserializeAttachment()) as [
    Client,
    Client,
  ];
  const incoming = { connection, address: otherAddress, session: opener.session, peer: opener.name };
  to.send(encodeBatch(routerAddress, { kind: "open", ...incoming, protocol, limit, metadata, flags, first }));
  from.send(encodeBatch(routerAddress, { kind: "routed", connection, address: otherAddress, session, peer }));
}

function clientOf(request: Request): Client {
  const basic = request.headers.get("authorization")?.replace("Basic ", "") ?? "";
  const [name = ""] = atob(basic).split(":");
  return { name, session: new URL(request.url).searchParams.get("session") ?? "" };
}

export default {
  fetch: (request: Request, env: RelayEnv): Promise<Response> => env.RELAY.getByName("pair").fetch(request),
};
