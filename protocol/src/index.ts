// The protocol package. It is private to this repository. The client re-exports what its users need.
export {
  BatchWriter,
  type DataTarget,
  encodeBatch,
  giveBack,
  routerAddress,
  segmentHeaderBytes,
  SegmentReader,
} from "./batch.ts";
export {
  closeCodes,
  errorCodes,
  goneReasons,
  isRetryable,
  type Kebab,
  kebab,
  nameOfCode,
  type ProblemCode,
  problemStatuses,
} from "./codes.ts";
export { fromBase64url, toBase64, toBase64url } from "./base64.ts";
export { ByteBuffer, ByteReader, ByteWriter, setU32, u32At } from "./bytes.ts";
export { dataHeaderBytes, encodeFrame, frameHeaderBytes, PeerFrameReader, RouterFrameReader } from "./codec.ts";
export {
  anySession,
  type ControlFrame,
  type DataFrame,
  dataFlags,
  flipOpenerBit,
  ignorableBit,
  openerBit,
  type PeerFrame,
  peerFrames,
  type RouterFrame,
  type RouterFrameOf,
  routerFrames,
} from "./frames.ts";
export type { FrameReader, SegmentFormat } from "./formats/format.ts";
export { heartbeat, isHeader, reservedHeaders, subprotocols } from "./handshake.ts";
export { fromHex, toHex } from "./hex.ts";
export { holderName, isHolderName, keyIdOf, keyIdProblem, type Openable, type TokenRights } from "./holders.ts";
export {
  guestName,
  hostInName,
  type Invitation,
  invitationBytes,
  invitationMacBytes,
  invitationProblem,
  isInvitation,
  invitationText,
  type SignedInvitation,
  readInvitationText,
} from "./invitation.ts";
export { clientLimits, limits, originalLimits, routerLimits } from "./limits.ts";
export {
  defaultRealm,
  invisibleIn,
  lookAlikeProblem,
  nameProblem,
  instanceProblem,
  jurisdictionOf,
  labelOf,
  labelProblem,
  newNameProblem,
  peerProblem,
  protocolProblem,
  realmProblem,
  splitLabel,
} from "./names.ts";
export { rfc3339Ms } from "./rfc3339.ts";
export { foreignAnswer, networkReason, type NetworkTarget } from "./network-reasons.ts";
export { fieldsOf, routerProblemIn } from "./problem.ts";
export { ProtocolError } from "./protocol-error.ts";
export { characterBefore, cutText, decodeText, utf8Length } from "./utf8.ts";
