import type { Random } from "../soak/random.ts";

type Container = Record<string, unknown> | unknown[];

const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e300,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  "",
  "0",
  "__proto__",
  "constructor",
  "\0",
  "\ud800",
  "\udfff",
  "\ufeff",
  "a".repeat(129),
  "é".repeat(300),
  "AA==",
  "A=",
  "alice",
  "alice:1",
  "bob:2147483647",
  "1.1.1",
  "$mark:1",
  "$mark:4294967040.1.5",
  [],
  {},
  [[]],
];
const keys = [
  "type",
  "peer",
  "connection",
  "text",
  "base64",
  "offset",
  "limit",
  "more",
  "__proto__",
  "",
  "Meta",
  "Data",
];

/** A text of JSON with some of its values and keys changed, or `undefined` where it is none. */
export function mutatedJson(text: string, random: Random, other: string): string | undefined {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (let times = random.chance(0.6) ? 1 : random.logarithmic(1, 5); times > 0; times--)
    root = changed(root, random, other);
  return written(root, random);
}

function changed(root: unknown, random: Random, other: string): unknown {
  const inside = containersIn(root);
  const place = inside.length > 0 ? random.pick(inside) : undefined;
  if (place === undefined || random.chance(0.02)) return anyValue(random, other);
  if (random.chance(0.05)) return random.chance(0.5) ? [root, parsed(other)] : Array.from({ length: 3 }, () => root);
  const names = Object.keys(place);
  const name = names.length > 0 ? random.pick(names) : "0";
  // Arrays are changed by their indices, as objects are by their keys.
  const fields = place as Record<string, unknown>;
  switch (random.weighted({ set: 6, remove: 1, add: 2, rename: 1, nest: 1 })) {
    case "set":
      define(fields, name, anyValue(random, other));
      break;
    case "remove":
      Reflect.deleteProperty(fields, name);
      break;
    case "add":
      define(fields, random.pick(keys), anyValue(random, other));
      break;
    case "rename":
      define(fields, random.pick(keys), fields[name]);
      break;
    case "nest":
      define(fields, name, random.chance(0.5) ? [fields[name]] : { a: fields[name] });
      break;
  }
  return root;
}

/** An own property, whatever the key. */
function define(fields: Record<string, unknown>, key: string, value: unknown): void {
  if (Array.isArray(fields) && !/^\d+$/.test(key)) return;
  Object.defineProperty(fields, key, { value, enumerable: true, configurable: true, writable: true });
}

function containersIn(value: unknown, found: Container[] = []): Container[] {
  if (typeof value !== "object" || value === null || found.length > 100) return found;
  found.push(value as Container);
  for (const inner of Object.values(value)) containersIn(inner, found);
  return found;
}

function anyValue(random: Random, other: string): unknown {
  if (random.chance(0.8)) return structuredClone(random.pick(values));
  const inside = containersIn(parsed(other));
  return inside.length === 0 ? random.integer(0, 300) : random.pick(Object.values(random.pick(inside)).concat(null));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function written(root: unknown, random: Random): string {
  const text = JSON.stringify(root);
  if (random.chance(0.02)) return "[".repeat(random.logarithmic(1, 50_000)) + text;
  if (random.chance(0.02)) {
    const depth = random.logarithmic(1, 20_000);
    return "[".repeat(depth) + text + "]".repeat(depth);
  }
  return random.chance(0.05) ? text.replaceAll(/[{,:]/g, "$& \t") : text;
}
