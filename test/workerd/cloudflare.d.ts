// The part of `cloudflare:workers` that tests use: wrangler.toml's bindings and the Worker itself.
declare namespace Cloudflare {
  type RouterEnv = import("../../src/env.ts").Env;
  interface Env extends Omit<RouterEnv, "ROUTER"> {
    readonly ROUTER: DurableObjectNamespace<import("../../src/router-object.ts").RouterObject>;
  }
  interface GlobalProps {
    mainModule: typeof import("../../src/worker.ts");
  }
}
