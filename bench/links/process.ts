// Links on which nothing happens, in a process of their own. links.ts starts it.
import { WebSocket } from "ws";
import { answerCalls } from "../answering.ts";
import type { LinkCalls } from "./calls.ts";
import { openLink } from "./link.ts";

const atOnce = 50;
const links: WebSocket[] = [];

answerCalls<LinkCalls>({
  async open({ url, accounts }) {
    const rest = accounts.values();
    const openRest = async (): Promise<void> => {
      for (const account of rest) {
        const link = await openLink(url, account);
        // It is counted as closed then.
        link.on("error", () => undefined);
        links.push(link);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, openRest));
    return null;
  },
  countOpen: () => Promise.resolve(links.filter(({ readyState }) => readyState === WebSocket.OPEN).length),
});
