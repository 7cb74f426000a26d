/**
 * Whether a URL leads to this machine for certain: its host is `localhost`, which always means loopback (RFC 6761,
 * section 6.3), or a loopback address. A name that only looks like an address, as `127.0.0.1.example.com`, may be that
 * of any machine.
 */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
