import { expect, test } from "vitest";
import { refusalIn } from "./refusal.ts";

const own = { type: "about:blank", status: 401, code: "unauthorized", detail: "The name or the secret is wrong." };
const refusal = (status: string, problem: object, type = "application/problem+json"): ReturnType<typeof refusalIn> =>
  refusalIn(status, (name) => (name === "content-type" ? type : undefined), JSON.stringify(problem));

test.each([["application/problem+json"], ["application/problem+json; charset=utf-8"], ["Application/Problem+JSON"]])(
  "the router's own problem counts with the content type %s",
  (type) => {
    expect(refusal("401 Unauthorized", own, type)).toMatchObject({ closeCode: 4500, reason: own.detail });
  },
);

test.each([
  ["a type of its own", "404 Not Found", { type: "https://gate.example/nf", code: "not-found" }],
  ["a type of its own and all the rest", "401 Unauthorized", { ...own, type: "https://gate.example/auth" }],
  ["no type", "401 Unauthorized", { ...own, type: undefined }],
  ["only a code", "401 Unauthorized", { code: "unauthorized" }],
  ["no detail", "400 Bad Request", { code: "bad-request" }],
  ["a detail that is no string", "401 Unauthorized", { ...own, detail: {} }],
  ["a code that doesn't fit the status", "502 Bad Gateway", { ...own, status: 502 }],
  ["a status that isn't the answer's", "502 Bad Gateway", own],
  ["a status that is a string", "401 Unauthorized", { ...own, status: "401" }],
  ["a code in a list", "401 Unauthorized", { ...own, code: ["unauthorized"] }],
  ["a code that is a method of objects", "401 Unauthorized", { ...own, code: "toString" }],
])("a problem with %s is something else's answer, which doesn't end a client", (_, status, problem) => {
  expect(refusal(status, problem)).toMatchObject({ closeCode: 1006 });
});

test("a problem in another content type is something else's answer", () => {
  expect(refusal("401 Unauthorized", own, "application/problem+jsonp").closeCode).toBe(1006);
});
