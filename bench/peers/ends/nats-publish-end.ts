// The ends on NATS with round trips as bare as everybody else's: a message to a subject, and one back, without a request.
import type { NatsConnection } from "@nats-io/nats-core";
import type { Dial, SendingEnd } from "../../ends/end.ts";
import { connectSender as connectNatsSender, NatsSender } from "./nats-end.ts";

export { connectReceiver } from "./nats-end.ts";

class PublishingSender extends NatsSender {
  readonly #reply: string;
  #onEcho: () => void = () => undefined;

  constructor(connection: NatsConnection, dial: Dial) {
    super(connection, dial);
    this.#reply = `echoed.${dial.name}`;
    connection.subscribe(this.#reply, {
      callback: () => {
        this.#onEcho();
      },
    });
  }

  override roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#onEcho = resolve;
      this.connection.publish(`echo.${this.peer}`, message, { reply: this.#reply });
    });
  }
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  return await connectNatsSender(dial, PublishingSender);
}
