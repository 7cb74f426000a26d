// What a router can't beat: an object that hands each WebSocket message, unread, to the other socket.
import { DurableObject } from "cloudflare:workers";

interface RelayEnv {
  readonly RELAY: DurableObjectNamespace<Relay>;
}

export class Relay extends DurableObject<RelayEnv> {
  readonly #others = new Map<WebSocket, WebSocket>();

  override fetch(): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    this.ctx.acceptWebSocket(socket);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#otherOf(socket)?.send(message);
  }

  override webSocketClose(socket: WebSocket): void {
    this.#others.clear();
    if (socket.readyState !== WebSocket.CLOSED) socket.close(1000);
  }

  #otherOf(socket: WebSocket): WebSocket | undefined {
    const known = this.#others.get(socket);
    if (known !== undefined) return known;
    const other = this.ctx.getWebSockets().find((candidate) => candidate !== socket);
    if (other !== undefined) this.#others.set(socket, other);
    return other;
  }
}

export default {
  /** Two sockets on the same path are each other's other end. */
  fetch: (request: Request, env: RelayEnv): Promise<Response> =>
    env.RELAY.getByName(new URL(request.url).pathname).fetch(request),
};
