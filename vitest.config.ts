import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// wrangler.toml requires them; in the tests they stand for nothing.
process.env["MP_ADMIN_TOKEN"] = "test-admin-token";
process.env["MP_PEPPER"] = "test-pepper";

/** What bounds a test that hangs. Far above what any takes on a slow machine: no test measures time by them. */
const bounds = { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 15_000 } } };

/** Runs the Worker under another compatibility date than wrangler.toml's, to show that it doesn't depend on that date. */
const compatibilityDate = process.env["MP_COMPATIBILITY_DATE"];

export default defineConfig({
  test: {
    // Vitest would leave one of two cores idle: most tests wait for other processes.
    maxWorkers: 2,
    projects: [
      {
        // Pure logic: no sockets, no workerd.
        test: {
          ...bounds,
          name: "unit",
          include: [
            "{protocol,client,cli}/src/**/*.test.ts",
            "{src,scripts}/**/*.test.ts",
            "test/bench/**/*.test.ts",
            "test/model/**/*.test.ts",
          ],
        },
      },
      {
        // The Worker and its object inside workerd.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // Tests make links faster than any client may.
              ratelimits: { CONNECTS: { namespace_id: "1002", simple: { limit: 1e9, period: 10 } } },
              ...(compatibilityDate !== undefined && { compatibilityDate }),
            },
          }),
        ],
        test: { ...bounds, name: "workerd", include: ["test/workerd/**/*.test.ts"] },
      },
      {
        // The packages as they are published, over real sockets: Node, the command, a browser.
        test: { ...bounds, name: "sockets", include: ["test/sockets/**/*.test.ts", "test/attacks/**/*.test.ts"] },
      },
    ],
  },
});
