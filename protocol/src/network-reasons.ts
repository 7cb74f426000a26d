// Why a router can't be reached, in the sentences of the client, of `mp` and of its doctor. Each says which step failed
// (DNS, TCP, TLS, HTTP), with which host, and what to do.

/** Where a connection was to lead. */
export interface NetworkTarget {
  readonly host: string;
  readonly port: number | string;
  /** What listens at that host, for sentences. Default: the router. */
  readonly who?: string;
  /** Where the host is set. Default: the URL. */
  readonly setting?: string;
}

/** The fields of Node's errors. */
interface SystemError extends Error {
  readonly address?: unknown;
  readonly port?: unknown;
}

interface Reason {
  readonly what: string;
  readonly remedy?: string;
}

const untrusted =
  "no authority that this machine knows has signed its certificate: set NODE_EXTRA_CA_CERTS to a file with the certificate of the authority that did";

/** By the code of the error. */
const tlsReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired: its owner must renew it, or this machine's clock is wrong",
  CERT_NOT_YET_VALID: "its certificate isn't valid yet: this machine's clock may be wrong",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name: check the host in the URL",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
};

/** What OpenSSL says of bytes that aren't TLS at all. */
const noTls = /wrong.version.number|packet.length.too.long/i;
const otherVersion = /protocol.version|unsupported.protocol|no.protocols.available|version.too.low/i;

/** Why a TLS handshake failed; `undefined` for an error of another step. */
function tlsReasonOf({ message }: Error, code: string): string | undefined {
  if (Object.hasOwn(tlsReasons, code)) return tlsReasons[code];
  if (code !== "EPROTO" && !code.startsWith("ERR_SSL_")) return undefined;
  // Newer versions of Node say it in the code, older ones in the message.
  const words = `${code} ${message}`;
  if (noTls.test(words)) return "the port speaks no TLS: should the URL begin with ws:// or http://?";
  if (otherVersion.test(words))
    return "the server takes other versions of TLS than this machine: update the older one of the two";
  return `OpenSSL says: ${message.trim()}`;
}

/**
 * Why a connection failed, as the end of a sentence.
 *
 * @param error what the platform says. Of a name with several addresses, each address has an error of its own.
 */
export function networkReason(error: unknown, target: NetworkTarget): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reasons = errors.map((each) => reasonOf(each, target));
  const whats = Array.from(new Set(reasons.map(({ what }) => what)));
  const remedies = Array.from(new Set(reasons.flatMap(({ remedy }) => remedy ?? [])));
  const sentence = [whats.join("; "), ...remedies].join(": ");
  // People search by the platform's code.
  const codes = Array.from(new Set(errors.map(codeOf))).join(", ");
  return codes === "" || remedies.length === 0 ? sentence : `${sentence} (${codes})`;
}

function codeOf(error: unknown): string {
  const { code } = Object(error) as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

function reasonOf(error: unknown, { host, port, who = "the router", setting = "the URL" }: NetworkTarget): Reason {
  if (!(error instanceof Error)) return { what: String(error) };
  const code = codeOf(error);
  const { address = host, port: errorPort = port } = error as SystemError;
  const where = String(address);
  const at = `${/^[^[].*:/.test(where) ? `[${where}]` : where}:${String(errorPort)}`;
  const tlsReason = tlsReasonOf(error, code);
  if (tlsReason !== undefined) return { what: `the TLS handshake with ${host}:${port} failed`, remedy: tlsReason };
  switch (code) {
    case "ENOTFOUND":
      return {
        what: `DNS knows no host "${host}"`,
        remedy: `check the spelling of ${setting}, and whether this machine is online`,
      };
    case "EAI_AGAIN":
      return { what: `no DNS server answered for "${host}"`, remedy: "check whether this machine is online" };
    case "ECONNREFUSED":
      return {
        what: `no TCP connection to ${at}, where nothing listens`,
        remedy: `check that ${who} is running and that the port is right`,
      };
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ENETDOWN":
    case "EADDRNOTAVAIL":
      return {
        what: `no TCP connection to ${at}`,
        remedy: "check the network, and whether a firewall blocks the port",
      };
    case "ECONNRESET":
    case "EPIPE":
      return {
        what: `${host}:${port} ended the TCP connection without an answer`,
        remedy: "check the port, and whether the URL should begin with wss:// or ws://",
      };
    default:
      if (code.startsWith("HPE_"))
        return {
          what: `what ${host}:${port} answered is no HTTP`,
          remedy: "check the port, and whether the URL should begin with wss://",
        };
      // OpenSSL puts a line feed behind its messages.
      return { what: error.message.trim() || code || error.name };
  }
}

/**
 * Why an HTTP answer isn't one of a router, as the end of a sentence.
 *
 * @param status as in "502 Bad Gateway".
 * @param location where it redirects to.
 */
export function foreignAnswer(status: string, location?: string): string {
  const what = `the server answered "${status}", which is no answer of a router`;
  // A query may have a gate's token, and a captive portal puts the whole URL that was asked for into it.
  const to = location?.split(/[?#]/, 1)[0];
  if (to !== undefined) return `${what} but a redirect to ${to}: use that URL if it is the router's`;
  if (/^40[137]/.test(status)) return `${what}: a gate or a proxy on the way may want a sign-in`;
  if (status.startsWith("5")) return `${what}: something on the way answers for it, which may be away for now`;
  return `${what}: check the host and the path of the URL, or a proxy on the way`;
}
