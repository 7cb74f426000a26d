import type { Account } from "../clients/calls.ts";

/** What a process that holds idle links may be asked. */
export interface LinkCalls {
  /** Opens a link for each of these. Null is nobody, which is all that a relay knows. */
  open: { argument: { readonly url: string; readonly accounts: readonly (Account | null)[] }; answer: null };
  /** How many of them are still open. */
  countOpen: { argument: null; answer: number };
}
