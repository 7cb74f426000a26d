import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sparticuz, { inflate } from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

/** A Chromium that is installed, or the one that comes in an npm package, with the libraries that come with it. */
export async function launchChromium(): Promise<Browser> {
  // Root, as in many containers, has no sandbox.
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  const installed = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
    existsSync(path),
  );
  if (installed !== undefined) return await chromium.launch({ executablePath: installed, args });
  const libraries = await inflate(
    fileURLToPath(import.meta.resolve("@sparticuz/chromium").replace(/build\/index.js$/, "bin/al2023.tar.br")),
  );
  const executablePath = await sparticuz.executablePath();
  return await chromium.launch({
    executablePath,
    args,
    env: { ...process.env, LD_LIBRARY_PATH: join(libraries, "lib") },
  });
}
