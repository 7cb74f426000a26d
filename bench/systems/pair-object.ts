import { DurableObject } from "cloudflare:workers";

/** An object with two sockets, each of which is the other's other end. Hibernation may forget all but the sockets. */
export abstract class PairObject<Env> extends DurableObject<Env> {
  readonly #others = new Map<WebSocket, WebSocket>();

  protected accept(socket: WebSocket): void {
    this.ctx.acceptWebSocket(socket);
    this.#others.clear();
  }

  /** Undefined while there is only one. */
  protected otherOf(socket: WebSocket): WebSocket | undefined {
    const known = this.#others.get(socket);
    if (known !== undefined) return known;
    const other = this.ctx.getWebSockets().find((candidate) => candidate !== socket);
    if (other !== undefined) this.#others.set(socket, other);
    return other;
  }

  override webSocketClose(socket: WebSocket): void {
    this.#others.clear();
    if (socket.readyState !== WebSocket.CLOSED) socket.close(1000);
  }
}
