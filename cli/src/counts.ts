import { InvalidArgumentError } from "commander";

/** Reads the whole numbers that a flag takes, from 1 on. @param most Default: no bound */
export function countUpTo(most = Infinity): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (Number.isInteger(count) && count >= 1 && count <= most) return count;
    throw new InvalidArgumentError(`Give a whole number, ${most === Infinity ? "1 or larger" : `from 1 to ${most}`}.`);
  };
}
