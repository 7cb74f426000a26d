// What hostile strangers, clients and administrators can cost an owner in an hour: SECURITY.md has these figures.
import { messagesPerRequest, objectGigabytes, prices } from "./prices.ts";
import { routerLimits } from "@messagepasser/protocol";
import { connectsPer10s } from "../router.ts";

/** How much of each thing an hour has. */
interface Use {
  readonly workerRequest?: number;
  readonly objectRequest?: number;
  readonly kvRead?: number;
  readonly rowWritten?: number;
  /** Whether the object is awake for the whole hour. */
  readonly isAwake: boolean;
}

const hourS = 3_600;
const links = (connectsPer10s / 10) * hourS;
/** A link takes a part of a block of 32 addresses, which is a row. */
const addressRows = links / 32;
const usageRows = (hourS * 1_000) / routerLimits.minMsBetweenUsageRows;
/** What one object handled on the machine of the measurement: for all clients of a realm together. */
const messages = 20_000 * hourS;
const thousandASecond = 1_000 * hourS;

function usd({ isAwake, ...counts }: Use): number {
  const awakeGigabyteSeconds = isAwake ? hourS * objectGigabytes : 0;
  const uses = Object.entries({ ...counts, gigabyteSecond: awakeGigabyteSeconds }) as [keyof typeof prices, number][];
  return uses.reduce((sum, [what, count]) => sum + (count * prices[what].usdPerMillion) / 1e6, 0);
}

/** By what SECURITY.md says that they do, US dollars for an hour, rounded up to a cent. */
export const hostileUsdPerHour: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      ["sends 1,000 requests a second", { workerRequest: thousandASecond, isAwake: false }],
      [
        "connects and leaves without end",
        {
          workerRequest: links,
          objectRequest: links,
          kvRead: links,
          rowWritten: addressRows + usageRows,
          isAwake: true,
        },
      ],
      [
        // Half of what is counted are tickets. Each is written when it is used, and deleted.
        "does the same from a page",
        {
          workerRequest: links,
          objectRequest: links,
          kvRead: links / 2,
          rowWritten: links + addressRows / 2 + usageRows,
          isAwake: true,
        },
      ],
      [
        // A session of a guest is a row and an index, both written and deleted. An alarm is a request and a row.
        "does the same with guests of its own",
        {
          workerRequest: links,
          objectRequest: links + hourS,
          kvRead: links,
          rowWritten: 4 * links + addressRows + usageRows + hourS,
          isAwake: true,
        },
      ],
      [
        "connects although it is disabled or its invitation is used up",
        { workerRequest: links, objectRequest: links, kvRead: links, rowWritten: usageRows, isAwake: true },
      ],
      [
        "sends messages as fast as the object takes them",
        {
          objectRequest: messages / messagesPerRequest,
          rowWritten: messages / routerLimits.maxMessagesInAttachment,
          isAwake: true,
        },
      ],
      [
        "ignores the close of its link and goes on sending",
        { objectRequest: messages / messagesPerRequest, rowWritten: usageRows, isAwake: true },
      ],
      [
        // The object that knows all realms is asked too.
        "reads 1,000 times a second",
        {
          workerRequest: thousandASecond,
          objectRequest: 2 * thousandASecond,
          rowWritten: usageRows,
          isAwake: true,
        },
      ],
    ] as [string, Use][]
  ).map(([what, use]) => [what, (Math.ceil(usd(use) * 100) / 100).toFixed(2)]),
);
