import { readFileSync } from "node:fs";
import { BatchWriter, dataFlags, routerAddress } from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { frameOf } from "../../../test/support/frame-vectors.ts";
import { ScriptedRouter } from "../../../test/support/scripted-router.ts";
import { vectorsIn } from "../../../test/support/vector-files.ts";
import type { Channel } from "../connection/channel.ts";

// Replays the transcripts of protocol/vectors/races.json; protocol/vectors/README.md says how they are written.

interface Expectation {
  readonly state?: "open" | "closed" | "failed";
  readonly handlers?: number;
  readonly messages?: readonly string[];
  readonly ended?: boolean;
}

type Action =
  | { readonly call: "open"; readonly peer: string; readonly protocol: string }
  | { readonly call: "accept" | "end" | "close" }
  | { readonly call: "send"; readonly text: string }
  | { readonly call: "reject" | "reset"; readonly code: number; readonly reason: string }
  | { readonly arrives: readonly { readonly from: number; readonly frame: object }[]; readonly link?: "old" }
  | { readonly link: "lost" | "back" }
  | { readonly waitMs: number }
  | { readonly sees: Expectation };

type Step = Action & { readonly leaves?: readonly { readonly to: number; readonly frame: object }[] };

interface Transcript {
  readonly race: number;
  readonly name: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

const transcripts = vectorsIn("races.json") as Transcript[];

/** Frames by the address that they are from or for: only between two addresses is their order kept. */
type FramesByAddress = Record<number, object[]>;

function byAddress(frames: Iterable<readonly [number, object]>): FramesByAddress {
  const grouped: FramesByAddress = {};
  for (const [address, frame] of frames) (grouped[address] ??= []).push(frame);
  return grouped;
}

function batchOf(frames: readonly { readonly from: number; readonly frame: object }[]): Uint8Array {
  const batches: Uint8Array[] = [];
  const writer = new BatchWriter((batch) => batches.push(batch));
  for (const { from: address, frame: fields } of frames) {
    const frame = frameOf(fields);
    if (frame.kind === "data") {
      const flags = (frame.last ? dataFlags.last : 0) | (frame.text ? dataFlags.text : 0);
      writer.data({ address, connection: frame.connection }, flags, frame.offset ?? 0, frame.payload);
    } else writer.frame(address, frame);
  }
  writer.flush();
  const [batch] = batches;
  if (batch === undefined) throw new Error("A step in which nothing arrives");
  return batch;
}

/** A session that is taken through a transcript, with its only Connection. */
class Replay {
  readonly #router: ScriptedRouter;
  #channel: Channel | undefined;
  #handlers = 0;
  #state: "open" | "closed" | "failed" = "open";

  constructor(router: ScriptedRouter) {
    this.#router = router;
    router.session.onIncoming = (channel) => {
      this.#handlers++;
      this.#watch(channel);
    };
  }

  /** @returns what the client sends. */
  async take(step: Action): Promise<FramesByAddress> {
    if ("call" in step) this.#call(step);
    else if ("arrives" in step) {
      const batch = batchOf(step.arrives);
      if (step.link === undefined) this.#router.sends(batch);
      else this.#router.sendsOnOldLink(batch);
    } else if ("link" in step) {
      if (step.link === "lost") this.#router.loseLink();
      else this.#router.restoreLink();
    } else if ("sees" in step) await this.#see(step.sees);
    const answers = await ("waitMs" in step ? this.#router.advance(step.waitMs) : this.#router.turn());
    const toRouter = this.#router.said.splice(0).map((frame) => [routerAddress, frame] as const);
    return byAddress([...toRouter, ...answers.map(({ address, frame }) => [address, frame] as const)]);
  }

  #watch(channel: Channel): void {
    this.#channel = channel;
    void channel.closed.then((error) => (this.#state = error === undefined ? "closed" : "failed"));
  }

  #call(step: Extract<Action, { call: string }>): void {
    if (step.call === "open") {
      this.#watch(this.#router.session.open(step.peer, step.protocol));
      return;
    }
    const channel = this.#channel;
    if (channel === undefined) throw new Error(`A call of ${step.call} before there is a Connection`);
    // Where these fail, the transcript's Connection has ended, which it tells.
    const ignore = (): void => undefined;
    switch (step.call) {
      case "accept":
        channel.accept();
        break;
      case "reject":
        channel.reject(step.code, step.reason);
        break;
      case "send":
        channel.send(step.text, undefined).catch(ignore);
        break;
      case "end":
        channel.end(undefined).catch(ignore);
        break;
      case "close":
        channel.close(undefined).catch(ignore);
        break;
      case "reset":
        channel.reset(step.code, step.reason, channel.error("aborted", "aborted here"));
        break;
    }
  }

  async #see({ state, handlers, messages = [], ended = false }: Expectation): Promise<void> {
    if (state !== undefined) expect(this.#state).toBe(state);
    if (handlers !== undefined) expect(this.#handlers).toBe(handlers);
    for (const message of messages) expect(await this.#channel?.receiver.receive(undefined)).toBe(message);
    if (ended) expect(await this.#channel?.receiver.next()).toEqual({ done: true, value: undefined });
  }
}

let router: ScriptedRouter;

beforeEach(async () => {
  router = await ScriptedRouter.start();
});

describe("races.json", () => {
  test.for(transcripts)("the client follows the transcript of race $race, $name", async ({ steps }) => {
    const replay = new Replay(router);
    for (const [index, step] of steps.entries()) {
      const expected = byAddress((step.leaves ?? []).map(({ to, frame }) => [to, frameOf(frame)] as const));
      expect(await replay.take(step), `step ${index + 1}`).toEqual(expected);
    }
  });

  test("each race of RACES.md has the transcripts of races.json that RACES.md names", () => {
    const sections = readFileSync(`${import.meta.dirname}/../../../protocol/RACES.md`, "utf8")
      .split(/^## /m)
      .slice(1);
    const told = sections.flatMap((section, index) => {
      const [, names = ""] = /^Transcripts?: (.*)$/m.exec(section) ?? [];
      expect(names, section).not.toBe("");
      return names.split(", ").map((name) => `${index + 1} ${name.replaceAll("`", "")}`);
    });
    expect(sections).toHaveLength(13);
    expect(transcripts.map(({ race, name }) => `${race} ${name}`)).toEqual(told);
  });
});
