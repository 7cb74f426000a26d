// What a program may and may not write with the client. The compiler is the test, and nothing of this runs: `npm run check`
// compiles the file against the packed client, as Node, browsers and workerd resolve it.
import {
  type Client,
  type CloseOptions,
  connect,
  type Connection,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionStatus,
  type ConnectOptions,
  type Format,
  type Handler,
  LinkError,
  type LinkErrorCode,
  type LinkStatus,
  type Message,
  MessagePasserError,
  type OpenOptions,
  type Status,
  type WaitOptions,
} from "messagepasser";
import { invite, type Invited, type InviteOptions, readInvitation } from "messagepasser/invite";
import { msgpack } from "messagepasser/msgpack";
import { protobuf } from "messagepasser/protobuf";

/** `true` if each type can stand for the other, so that assigning `true` compiles for no others. */
type Same<Left, Right> = [Left] extends [Right] ? ([Right] extends [Left] ? true : Left) : Left;

export const same: {
  message: Same<Message, string | Uint8Array>;
  connect: Same<Parameters<typeof connect>, [url: string | URL, options: ConnectOptions]>;
  connected: Same<ReturnType<typeof connect>, Promise<Client>>;
  opened: Same<ReturnType<Client["open"]>, Promise<Connection>>;
  peers: Same<ReturnType<Client["peers"]>, Promise<string[]>>;
  clientClosed: Same<Client["closed"], Promise<LinkError | undefined>>;
  connectionClosed: Same<Connection["closed"], Promise<ConnectionError | undefined>>;
  received: Same<ReturnType<Connection["receive"]>, Promise<Message | undefined>>;
  readable: Same<Connection["readable"], ReadableStream<Uint8Array>>;
  writable: Same<Connection["writable"], WritableStream<Message>>;
  metadata: Same<Connection["metadata"], Readonly<Record<string, string>>>;
  linkCode: Same<LinkError["code"], LinkErrorCode>;
  connectionCode: Same<ConnectionError["code"], ConnectionErrorCode>;
  anyCode: Same<MessagePasserError["code"], LinkErrorCode | ConnectionErrorCode>;
  statusKinds: Same<Status["kind"], "offline" | "online" | "closed" | "resumed">;
  linkStatus: Same<Client["status"], LinkStatus>;
  connectionStatusKinds: Same<Connection["status"]["kind"], "offline" | "online" | "away" | "closed">;
  connectionStatus: Same<Parameters<NonNullable<Connection["onStatus"]>>, [status: ConnectionStatus]>;
  invited: Same<ReturnType<typeof invite>, Promise<Invited>>;
} = {
  message: true,
  connect: true,
  connected: true,
  opened: true,
  peers: true,
  clientClosed: true,
  connectionClosed: true,
  received: true,
  readable: true,
  writable: true,
  metadata: true,
  linkCode: true,
  connectionCode: true,
  anyCode: true,
  statusKinds: true,
  linkStatus: true,
  connectionStatusKinds: true,
  connectionStatus: true,
  invited: true,
};

export const formats: readonly Format[] = [msgpack, protobuf];

/** The calls that README and the docstrings show. */
export async function allowed(): Promise<void> {
  await using client = await connect("wss://router.example.com", {
    name: "alice",
    secret: "mp_…",
    format: msgpack,
    retry: true,
  });
  const secrets: readonly ConnectOptions["secret"][] = ["mp_…", () => "mp_…", () => Promise.resolve("mp_…")];
  for (const secret of secrets) await connect("wss://router.example.com", { name: "alice", secret });
  const handler: Handler = async (connection) => {
    for await (const message of connection) await connection.send(message);
  };
  client.handle("echo", handler);
  client.handle("sink", (connection) => connection.reject("full"));
  client.handleAny(({ protocol }) => protocol.startsWith("files-"));
  const waiting: WaitOptions = { signal: AbortSignal.timeout(1_000) };
  const options: OpenOptions = {
    ...waiting,
    first: new Uint8Array(1),
    metadata: { key: "value" },
    timeoutMs: 1_000,
    waitMs: 1_000,
  };
  await using connection = await client.open("bob", "echo", options);
  await connection.send("text", waiting);
  connection.onStatus = (status) => {
    if (status.kind === "away") console.log(connection.peer, status.until?.toLocaleTimeString());
  };
  await connection.readable.pipeTo(connection.writable);
  const closing: CloseOptions = { deadlineMs: 1_000 };
  await client.close(closing);
}

/** A `catch` can tell errors apart, and has what each of them knows. */
export function errors(error: unknown): string {
  if (error instanceof ConnectionError) return `${error.code} ${error.peer} ${error.protocol}`;
  if (error instanceof LinkError) return error.code;
  if (error instanceof MessagePasserError) return error.shouldRetry() ? "later" : error.message;
  return "";
}

/** The codes of an error are a closed set, but for those of the other end's own. */
export function advice(code: ConnectionErrorCode): string {
  if (code === "code-200") return "one of the other end's own";
  return code === "peer-absent" ? "wait" : "give up";
}

/** A status is told apart by its kind. */
export function statusText(status: Status): string {
  switch (status.kind) {
    case "offline":
      return `${status.error.message}, again in ${status.retryInMs} ms`;
    case "online":
    case "closed":
      return status.kind;
    case "resumed":
      return status.peer;
  }
}

/** Mistakes of a program for which the compiler has an error. */
export async function refused(client: Client, connection: Connection, options: InviteOptions): Promise<void> {
  // @ts-expect-error A client without a secret.
  await connect("wss://router.example.com", { name: "alice" });
  // @ts-expect-error A function that may have no secret.
  await connect("wss://router.example.com", { name: "alice", secret: () => undefined });
  // @ts-expect-error A format by its name.
  await connect("wss://router.example.com", { name: "alice", secret: "mp_…", format: "msgpack" });
  // @ts-expect-error A message that is neither text nor bytes.
  await connection.send({ text: "hello" });
  // @ts-expect-error Metadata that is not text.
  await client.open("bob", "echo", { metadata: { count: 1 } });
  // @ts-expect-error A message that may be undefined.
  await connection.send(await connection.receive());
  // @ts-expect-error A code that no error has.
  advice("peer-abssent");
  // @ts-expect-error A status that only the client can change.
  connection.status = { kind: "closed" };
  // @ts-expect-error A name that others know.
  client.name = "carol";
  // @ts-expect-error A handler of all protocols that doesn't say whether it takes the Connection.
  client.handleAny(() => undefined);
  // @ts-expect-error A time as a number.
  await invite({ ...options, expiresAt: Date.now() });
  // @ts-expect-error An invitation that may be none.
  readInvitation("mpi_…").host.trim();
}
