// Serves page.html with the client's build for browsers. An application would let its bundler do this.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const files: Record<string, { readonly path: URL; readonly type: string }> = {
  "/": { path: new URL("page.html", import.meta.url), type: "text/html; charset=utf-8" },
  "/messagepasser.js": { path: new URL("browser.js", import.meta.resolve("messagepasser")), type: "text/javascript" },
};
const port = Number(process.env["PORT"] ?? 8080);

const server = createServer((request, response) => {
  const file = files[request.url ?? ""];
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  void readFile(fileURLToPath(file.path)).then((content) =>
    response.writeHead(200, { "content-type": file.type }).end(content),
  );
});
server.listen(port, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(`Open http://127.0.0.1:${address?.port ?? port}/`);
});
