#!/usr/bin/env node
// Only syntax that an old Node reads, and no static import: the check comes before anything else is loaded.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 22 || (major === 22 && minor >= 12)) {
  await import("../dist/main.js");
} else {
  console.error(`mp: messagepasser needs Node 22.12 or newer; this is Node ${process.versions.node}`);
  process.exitCode = 1;
}
