// The least that a router can do: an object that hands each WebSocket message, unread, to the other socket.
import { PairObject } from "../pair-object.ts";

interface RelayEnv {
  readonly RELAY: DurableObjectNamespace<Relay>;
}

export class Relay extends PairObject<RelayEnv> {
  override fetch(): Response {
    const { 0: client, 1: socket } = new WebSocketPair();
    this.accept(socket);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.otherOf(socket)?.send(message);
  }
}

export default {
  /** Two sockets on the same path are each other's other end. */
  fetch: (request: Request, env: RelayEnv): Promise<Response> =>
    env.RELAY.getByName(new URL(request.url).pathname).fetch(request),
};
