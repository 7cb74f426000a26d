import { Failure, statuses } from "./status.ts";

/** Takes a part of a router's answer. @throws Failure if it is not what the reader is for */
export type Reader<T> = (value: unknown) => T;

function readerOf<T>(isFit: (value: unknown) => value is T): Reader<T> {
  return (value) => {
    if (!isFit(value)) throw notUnderstood();
    return value;
  };
}

export const string = readerOf((value) => typeof value === "string");
export const number = readerOf((value) => typeof value === "number");
export const boolean = readerOf((value) => typeof value === "boolean");
export const nothing = readerOf((value) => value === undefined);
const array = readerOf((value): value is unknown[] => Array.isArray(value));

/** One of these strings. */
export function oneOf<T extends string>(known: readonly T[]): Reader<T> {
  return readerOf((value): value is T => known.some((each) => each === value));
}

export function listOf<T>(item: Reader<T>): Reader<T[]> {
  return (value) => array(value).map(item);
}

/** Takes `null` too, and nothing for it. */
export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value) => ((value ?? null) === null ? null : reader(value));
}

/** An object with these fields. Others are left out. */
export function objectOf<T extends object>(readers: { readonly [Name in keyof T]-?: Reader<T[Name]> }): Reader<T> {
  return (value) => {
    const fields = new Map<string, unknown>(Object.entries(value ?? {}));
    const read = Object.entries<Reader<unknown>>(readers).map(([name, reader]) => [name, reader(fields.get(name))]);
    // Each field is what its reader gives.
    return Object.fromEntries(read) as T;
  };
}

export function notUnderstood(): Failure {
  return new Failure(statuses.failed, "The router sent an unknown answer: is it of the same version as mp?");
}
