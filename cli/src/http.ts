import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ProxyAgent } from "./proxy/agent.ts";

/** What to ask for, and how. */
export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: ProxyAgent | undefined;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /**
   * Where a redirect leads, without a query, which may have a gate's token. No redirect is followed: the user decides where
   * a secret goes, not an answer.
   */
  readonly location: string | undefined;
  /** As in "502 Bad Gateway". */
  readonly statusLine: string;
  /** The media type in lower case, without parameters; empty if there is none. */
  readonly type: string;
  readonly text: string;
  /** When the server answered, by its own clock, in milliseconds since 1970; NaN if it doesn't say. */
  readonly atMs: number;
}

/** More than any answer of a router. */
const maxBytes = 16_777_216;

/** Asks a server by HTTP, through a proxy if there is an agent. @throws the signal's reason if it fires. */
export async function ask(url: URL, { method = "GET", headers, body, agent, signal }: Question): Promise<Answer> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-length": Buffer.byteLength(body) }) },
      ...(agent !== undefined && { agent }),
    });
    const abort = (): void => {
      request.destroy();
      // The reason of every signal here is an error.
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort, { once: true });
    request.on("close", () => {
      signal.removeEventListener("abort", abort);
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (text.length > maxBytes) request.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, statusMessage = "", headers: fields } = response;
        resolve({
          status: statusCode,
          statusLine: `${statusCode} ${statusMessage}`.trim(),
          location: fields.location?.split(/[?#]/, 1)[0],
          type: (fields["content-type"] ?? "").split(";", 1).join("").trim().toLowerCase(),
          text,
          atMs: Date.parse(fields.date ?? ""),
        });
      });
    });
    request.end(body);
  });
}
