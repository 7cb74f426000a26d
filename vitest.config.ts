import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// wrangler.toml requires them; in the tests they stand for nothing.
process.env["MP_ADMIN_TOKEN"] = "test-admin-token";
process.env["MP_PEPPER"] = "test-pepper";

export default defineConfig({
  test: {
    projects: [
      {
        // Pure logic: no sockets, no workerd.
        test: {
          name: "unit",
          include: [
            "protocol/src/**/*.test.ts",
            "client/src/**/*.test.ts",
            "test/unit/**/*.test.ts",
            "test/model/**/*.test.ts",
          ],
        },
      },
      {
        // The Worker and its object inside workerd.
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: { name: "workerd", include: ["test/workerd/**/*.test.ts"] },
      },
      {
        // The packages as they are published, over real sockets: Node, the command, a browser.
        test: {
          name: "sockets",
          include: ["test/sockets/**/*.test.ts", "test/attacks/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
