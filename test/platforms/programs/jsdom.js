// As a test runner sets jsdom up: the page's names are global, and Node's that jsdom lacks are not.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("", { url: "http://127.0.0.1/" });
for (const name of ["MessageChannel", "BroadcastChannel"]) delete globalThis[name];
for (const name of ["window", "document", "location", "WebSocket"]) {
  Object.defineProperty(globalThis, name, { value: window[name] ?? window, configurable: true });
}
await import("./module.js");
