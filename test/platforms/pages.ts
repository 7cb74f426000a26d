import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";

/** Whom `talk` is to reach, and as whom. */
export interface Target {
  readonly url: string;
  readonly name: string;
  readonly secret: string;
}

declare global {
  // Set by programs/page.js.
  var talk: (url: string, name: string, secret: string) => Promise<string>;
}

/** Imports a package of the platforms' folder: its version is the one that is tested, not the project's own. */
async function load<T>(directory: string, name: string): Promise<T> {
  const file = createRequire(join(directory, "package.json")).resolve(name);
  return (await import(pathToFileURL(file).href)) as T;
}

/** Makes one script of page.js with the bundler's own defaults for pages, and returns its file. */
type Bundler = (directory: string) => Promise<string>;

export const bundlers: Readonly<Record<string, Bundler>> = {
  async esbuild(directory) {
    const { build } = await load<typeof import("esbuild")>(directory, "esbuild");
    const outfile = join(directory, "esbuild.js");
    await build({ entryPoints: [join(directory, "page.js")], bundle: true, minify: true, format: "esm", outfile });
    return outfile;
  },
  async Vite(directory) {
    const { build } = await load<{ build(options: object): Promise<unknown> }>(directory, "vite");
    const rollupOptions = { input: join(directory, "page.js"), output: { entryFileNames: "page.js" } };
    await build({
      root: directory,
      configFile: false,
      logLevel: "error",
      build: { outDir: "vite", target: "es2024", rollupOptions },
    });
    return join(directory, "vite", "page.js");
  },
  async webpack(directory) {
    interface Stats {
      hasErrors(): boolean;
      toString(): string;
    }
    type Webpack = (options: object, done: (error: Error | null, stats?: Stats) => void) => void;
    const { default: webpack } = await load<{ default: Webpack }>(directory, "webpack");
    const path = join(directory, "webpack");
    await new Promise<void>((resolve, reject) => {
      const entry = join(directory, "page.js");
      webpack({ mode: "production", context: directory, entry, output: { path } }, (error, stats) => {
        if (error !== null || stats === undefined || stats.hasErrors()) reject(error ?? new Error(String(stats)));
        else resolve();
      });
    });
    return join(path, "main.js");
  },
};

/** Runs `talk` in a page that loads a bundled script. */
export async function runInBrowser(browser: Browser, bundle: () => Promise<string>, target: Target): Promise<string> {
  const script = readFileSync(await bundle());
  const server = createServer(({ url }, response) => {
    const isScript = url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const page = await browser.newPage();
  try {
    // It listens on a port, so the address isn't a pipe's name.
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "talk" in globalThis);
    return await page.evaluate(async ({ url, name, secret }) => await talk(url, name, secret), target);
  } finally {
    await page.close();
    server.close();
  }
}
