/**
 * Every limit of the protocol, with its unit in its name and the attack or accident that it stops.
 * PROTOCOL.md repeats this table; a test compares the two.
 */
export const limits = {
  /** Segments of one batch from a client. Stops one message from becoming ten thousand at the other side. */
  maxSegments: 1_024,
  /** Bytes of one WebSocket message. Stops a client from making the router hold one huge message. */
  maxBatchBytes: 131_072,
  /** A sender stops gathering frames here. Past it a batch gains no speed and only adds delay. */
  flushBatchBytes: 65_536,
  /** Payload bytes of one data frame. Stops one Connection from holding up the others behind a huge frame. */
  maxPayloadBytes: 65_536,
  /** UTF-8 bytes of a client's name. Keeps names, tags and storage keys bounded. */
  maxNameBytes: 128,
  /** Characters of a realm's name, so that it fits in a URL and in a storage key. */
  maxRealmLength: 63,
  /** UTF-8 bytes of a protocol's name. Stops opens that carry a book. */
  maxProtocolBytes: 128,
  /** UTF-8 bytes of a reason in a frame. Stops long texts in logs of the other side. */
  maxReasonBytes: 512,
  /** UTF-8 bytes of all keys and values of an open's metadata. Stops opens from bypassing flow control. */
  maxMetadataBytes: 4_096,
  /** Entries of an open's metadata. Stops a map of thousands of empty keys. */
  maxMetadataEntries: 64,
  /** Bytes of the frames that an open may carry before the peer has granted anything: one full data frame and a FIN. */
  maxEarlyBytes: 65_600,
  /** Flow-control units that every data frame costs besides its payload, and a FIN in all. Stops floods of empty messages. */
  frameCostBytes: 16,
  /** The largest offset and limit: what a double holds exactly, so that every language can count. */
  maxOffset: Number.MAX_SAFE_INTEGER,
  /** The largest Connection id. Bit 31 of an id on the wire says who opened. */
  maxConnectionId: 0x7fff_ffff,
  /** Connections between two clients that a client accepts. Stops a peer from filling its memory with opens. */
  maxConnectionsPerPeer: 10_000,
  /** Names in one page of the list of peers. */
  maxPageLength: 500,
} as const;
