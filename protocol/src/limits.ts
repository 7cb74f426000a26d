/**
 * Every limit of the protocol, with its unit in its name, and the attack or accident that it stops. PROTOCOL.md has the
 * same table, and a test compares the two.
 */
export const limits = {
  /** Segments in one batch from a client. Stops one message from becoming ten thousand for others. */
  maxSegments: 1_024,
  /** Bytes of one WebSocket message. Stops a client from making the router hold one huge message. */
  maxBatchBytes: 196_608,
  /** Bytes at which a sender sends its batch: two full data frames. Larger batches gain little speed, and others wait longer. */
  flushBatchBytes: 131_114,
  /** Payload bytes of one data frame. Stops one Connection from delaying the others behind a huge frame. */
  maxPayloadBytes: 65_536,
  /** UTF-8 bytes of a client's name. Keeps names, tags and storage keys bounded. */
  maxNameBytes: 128,
  /** UTF-8 bytes of an instance, by which a client calls one of its sessions. Stops the same. */
  maxInstanceBytes: 64,
  /** UTF-8 bytes of a label: a name, a colon and an instance. */
  maxLabelBytes: 193,
  /** Patterns of the protocols that a session serves. Stops checks that take long at each open. */
  maxServices: 64,
  /** UTF-8 bytes of these patterns. A link's attachment has 16,384 bytes for everything. */
  maxServicesBytes: 1_024,
  /** Characters of a realm's name, so that it fits in a URL and in a storage key. */
  maxRealmLength: 63,
  /** UTF-8 bytes of a protocol's name. Keeps opens small. */
  maxProtocolBytes: 128,
  /** UTF-8 bytes of a reason in a frame. Stops long strings in the other side's logs. */
  maxReasonBytes: 512,
  /** UTF-8 bytes of all keys and values of an open's metadata. Stops opens from bypassing flow control. */
  maxMetadataBytes: 4_096,
  /** Entries of an open's metadata. Stops a map of thousands of empty keys. */
  maxMetadataEntries: 64,
  /** Flow-control units that every data frame costs besides its payload, and a FIN in all. Stops floods of empty messages. */
  frameCostBytes: 16,
  /** The largest offset and limit: a double holds it exactly, so every language can count to it. */
  maxOffset: Number.MAX_SAFE_INTEGER,
  /** The largest Connection id. Bit 31 of an id on the wire tells which end opened. */
  maxConnectionId: 0x7fff_ffff,
  /** Connections with one peer and its guests that a client accepts. Stops a peer from filling its memory with opens. */
  maxConnectionsPerPeer: 10_000,
  /** Connections of one client in all. Stops many peers from filling its memory together. */
  maxConnections: 65_536,
  /** Opens from one peer and its guests that a client has neither accepted nor rejected. Stops opens from piling up behind slow handlers. */
  maxPendingOpens: 1_024,
  /** Bytes of first messages and metadata that a client holds of opens which it has not decided on. Stops opens from filling its memory. */
  maxPendingFirstBytes: 4_194_304,
  /** Opens and resumes of one client in a second, in the long run. Stops a client from keeping the router busy with refusals. */
  maxOpensPerSecond: 1_000,
  /** Opens and resumes of one client at once, before the rate counts. */
  maxOpensAtOnce: 10_000,
  /** The smallest window of an open Connection, whatever the budget. Stops one Connection from starving the others. */
  minWindowBytes: 16_384,
  /** The first window of a Connection. Until the receiver reads, no more than this is on its way. */
  firstWindowBytes: 262_144,
  /** The largest window. Stops one Connection from taking all the memory for windows. */
  maxWindowBytes: 16_777_216,
  /** Bytes sent but not acknowledged that a client keeps for all its Connections. Stops silent peers from filling its memory. */
  maxUnacknowledgedBytes: 67_108_864,
  /** Bytes that a client holds from peers without flow control, half of them from one. Stops such peers from filling its memory. */
  maxUncountedBytes: 16_777_216,
  /** Sessions of peers without Connections that a client remembers. Stops an open from running its handler twice. */
  maxRememberedSessions: 4_096,
  /** Bytes between two marks. The answer to a mark shows that they were read. Stops clients that don't read from filling the router's memory. */
  markEveryBytes: 524_288,
  /** Bytes before the first mark of a link, which brings a budget, and between marks while many links are busy. */
  firstMarkBytes: 16_384,
  /** Bytes that the router may hold for all clients of a realm that don't read. An object has 128 MiB in all. */
  maxUnreadBytes: 50_331_648,
  /**
   * Bytes that a client may grant to all its peers together: its budget in an idle router. Two thirds of what one link may
   * have unread (a third of `maxUnreadBytes`), since frames have headers too.
   */
  maxBudgetBytes: 10_485_760,
  /** Milliseconds of silence after which a link counts as gone for opens and resumes. Clients ping every 25 s, hidden pages every minute. */
  ghostAfterMs: 150_000,
  /** Names in one page of a list of peers. Stops one answer from growing without bound. */
  maxPageLength: 500,
  /** Watches that a link may have at once. Stops a client from having each change told to it a thousand times. */
  maxWatches: 8,
} as const;

/** The limits of the original's wire, which FORMATS.md describes. */
export const originalLimits = {
  /** Bytes of one WebSocket message, which that wire can't split. Stops one message from filling the router's memory. */
  maxMessageBytes: 4_194_304,
  /** Types that a gob stream may define. Stops endless definitions. One is enough. */
  maxGobDefinitions: 8,
  /** Bytes of these definitions, which the router stores with the link. */
  maxGobDefinitionBytes: 2_048,
} as const;

/**
 * Limits that the router alone enforces, so PROTOCOL.md doesn't have them. They are here so that every limit is in one
 * file, which the pure router (`src/routing`), the Worker, the realm's object and the command may all import.
 * Plain numbers only: a bundler drops them from the client then.
 */
export const routerLimits = {
  /** Peers that a link's attachment lists, 4 bytes each. An attachment has 16,384 bytes, also for names, a format, services and a grant. */
  maxPairs: 2_400,
  /** Links that one name may have at once, each in a session of its own. Stops one secret from filling the memory with links. */
  maxSessions: 100,
  /** UTF-8 bytes of the reason in a WebSocket close frame (RFC 6455, 5.5): longer reasons are cut. */
  maxCloseReasonBytes: 123,
  /** Frames of one segment that the router rewrites in another format: an eighth of `maxBatchBytes`. Stops 3-byte frames from growing a hundredfold. */
  maxRewrittenFrames: 24_576,
  /** Bytes of a batch that waits in an outbox. Larger batches leave at once: to copy them takes longer than it saves. */
  maxOutboxBatchBytes: 16_384,
  /** Bytes that the guests of one client may hold in memory together by not reading: a quarter of `maxUnreadBytes`. Stops them from taking their host's part, and others'. */
  maxGuestsUnreadBytes: 12_582_912,
  /** Bytes that the holders of one key's tokens may hold in memory together by not reading: half of `maxUnreadBytes`. Stops whoever gets many names from an application from taking others' part. */
  maxHoldersUnreadBytes: 25_165_824,
  /** Bytes that a client's links may hold together, closed ones with their sockets included. Past it the client is let in once a socket is gone. Stops it from filling the memory by coming back. */
  maxOwedBytes: 17_825_792,
  /** Closed links of a client, or of its guests together, whose sockets are still there. Stops sockets that nobody closes from filling the memory. */
  maxClosingLinks: 200,
  /** Bytes that a client's new link may have unread while closed ones hold all that the client may. Stops the same, more slowly. */
  owingLinkBytes: 262_144,
  /** Bytes to a link after which it is told the router's clock: what 2 Mbit/s carry in 8 ms. Less shows nothing, and opens cost more. */
  clockEveryBytes: 2_048,
  /** Milliseconds from one such frame to the next, at least: each may be a message of its own, which takes the router some 80 µs. */
  clockEveryMs: 8,
  /** Bytes that only a fast link can have been sent meanwhile. */
  fastClockBytes: 131_072,
  /** Milliseconds from one such frame to the next on a fast link, at least. */
  fastClockEveryMs: 100,
  /** The first budget of a link, before it is known how fast the link drains. Stops peers from filling a slow link at once. */
  firstBudgetBytes: 1_048_576,
  /** The least budget that a link's speed is a reason for. Smaller ones only make room for other clients. */
  minPaceBytes: 262_144,
  /** Milliseconds of what a link drains that its budget has room for, besides twice its round trip. Stops budgets from becoming seconds of delay on a slow link. */
  paceMs: 500,
  /** Bytes from mark to mark at which a link's speed is measured. Stops a short exchange from looking like a slow link. */
  minPaceSampleBytes: 131_072,
  /** Bytes that a client may send to a link past one and a half times the budget: smallest windows, control frames, and what is not yet marked. */
  floodSlackBytes: 1_048_576,
  /** Milliseconds for which a mark is without an answer before the link counts as filled. Stops a burst on a fast link from looking like a flood. */
  filledAfterMs: 500,
  /** Bytes past `floodSlackBytes` at which a link counts as filled at once. Stops a burst that fills a slow link for long. */
  burstBytes: 4_194_304,
  /** Milliseconds for which two clients are kept apart after one flooded the other. Each time it is four times as long. */
  firstBarMs: 20_000,
  /** The most milliseconds for which two clients are kept apart, and after which a flood is forgotten. */
  maxBarMs: 600_000,
  /** Milliseconds after which a link that answers no mark no longer counts as busy. Stops links that never read from taking budget. */
  busyForMs: 30_000,
  /** Links that a client, or its guests together, may open at once before `maxJoinsPerSecond` counts. */
  maxJoinsAtOnce: 1_000,
  /** Links that a client may open in a second, in the long run; its guests as many together. Stops connects from keeping the object awake. */
  maxJoinsPerSecond: 20,
  /** Links that the holders of one key's tokens may open at once before `maxHolderJoinsPerSecond` counts. */
  maxHolderJoinsAtOnce: 20_000,
  /** Links that the holders of one key's tokens may open in a second, in the long run. Stops many names from keeping the object awake. */
  maxHolderJoinsPerSecond: 400,
  /** Invitations that a Worker remembers as refused. Their guests count apart from those of other invitations. */
  maxRefusedInvitations: 10_000,
  /** Guests that a client may have connected at once. Stops it from multiplying itself. */
  maxGuestsAtOnce: 100,
  /** Links in a realm for which a list costs as much as an open. Stops lists from keeping the object busy. */
  linksPerToken: 100,
  /** Watches of all links of a client. Stops a client from making each change of the realm cost a thousand messages. */
  maxWatchesOfClient: 256,
  /** Milliseconds between two messages that tell a watcher what changed. Stops a crowd that comes back from costing a message for each. */
  tellEveryMs: 1_000,
  /** Sessions of a client that come or change what they serve, of which watchers are told at once before `maxToldChangesPerSecond` counts. */
  maxToldChangesAtOnce: 256,
  /** The same in a second, in the long run; of others they are told later. Stops a client from having each of a thousand watchers told a thousand times a second. */
  maxToldChangesPerSecond: 4,
  /** Sessions that one watch may have to be told: past that everything is told again, which takes no memory. */
  maxPendingChanges: 1_000,
  /** The same of all watches of a client together. Stops watchers that don't read from filling the memory. */
  maxPendingChangesOfClient: 16_000,
  /** Bytes of sessions that a watcher is told before it has read them. Stops watchers that don't read from filling the memory. */
  toldBytes: 65_536,
  /** Bytes that all watchers are told before other events have their turn. */
  toldAtOnceBytes: 1_048_576,
  /** Sessions and instances that left and that the router remembers. Stops guests' names from filling the memory. */
  maxLastSessions: 4_096,
  /** Peers of a session that left whom the router tells when another session takes the instance; others ask. Stops the same. */
  maxWaitingPeers: 64,
  /** Shards of a realm. An address has 10 bits for the shard, but each shard may have a trunk to each other one. */
  maxShards: 64,
  /** Rows of one call that gives them to a new shard. Stops a realm that grows from keeping its objects busy for long. */
  maxMovedRows: 1_000,
  /** Milliseconds after the last such call for which nothing may change in the rows that are being copied. Stops a shard that ended in the middle from holding them for long. */
  givingMs: 5_000,
  /** Links a second that come to a new shard. An object takes about 1,000. */
  movedJoinsPerSecond: 500,
  /** Milliseconds after which a realm that could not grow tries again. */
  growRetryMs: 1_000,
  /** Milliseconds after which the Worker asks again that was told that a name is moving; each time doubles them. */
  firstMovingWaitMs: 50,
  /** How often the Worker asks for the home of a name. The waits are 3 s in all. */
  maxHomeAsks: 8,
  /** Bytes of one call from a shard to another, unless one item is larger. Stops a call from keeping the other shard busy for long. */
  maxCallBytes: 1_048_576,
  /** Bytes that wait for one other shard: a third of it, for one principal, is a bit more than `maxBudgetBytes`. Stops a shard that doesn't answer from filling the memory of the others. */
  maxTrunkBytes: 33_554_432,
  /** Bytes that wait for all other shards together. Stops the same. */
  maxTrunksBytes: 50_331_648,
  /** Milliseconds until a failed call is made again; each failure doubles them. */
  firstCallRetryMs: 50,
  /** How often a failed call is made again before the pairs with the other shard are given up. */
  maxCallRetries: 7,
  /** Calls of a shard to all others in a second that go by RPC; past them WebSockets cost less, though their objects stay in memory while they are open. */
  maxRpcCallsPerSecond: 20,
  /** Milliseconds without a call after which such a WebSocket closes: this time costs as much as some 20 calls. */
  callSocketIdleMs: 1_000,
  /** The same after a second with so many calls: the shard stays in memory anyway, and may have many others that it calls now and then. */
  busyCallSocketIdleMs: 5_000,
  /** Milliseconds that a shard waits for an answer before it calls again. */
  maxCallMs: 10_000,
  /** Earlier wakes of another shard that a shard remembers, until it gives up the pairs with that shard: hours of them. Stops them from filling the memory. */
  maxFormerLives: 1_024,
  /** Milliseconds for which a shard asks another nothing after it gave up their pairs; each time doubles them. */
  firstTrunkPauseMs: 250,
  /** The most milliseconds for which a shard asks another nothing. */
  maxTrunkPauseMs: 10_000,
  /** Milliseconds after which a shard calls another one that has not answered all that it was asked. Less than an idle object stays in memory. */
  checkQuestionsEveryMs: 5_000,
  /** Sessions in one answer to a shard whose client watches: a quarter of `maxPendingChanges`. */
  maxRosterPage: 250,
  /** Milliseconds after which a shard calls those that its links are paired with: one that was reset, and that nobody wakes, tells nobody. */
  checkShardsEveryMs: 600_000,
  /** Links of other shards that a shard remembers. Stops guests' names from filling the memory. */
  maxKnownStrangers: 20_000,
  /** Clients without a link of which the router remembers something. Stops guests' names from filling the memory. */
  maxIdleAccounts: 10_000,
  /** Tokens that a link may return without having got them. Stops a client from guessing the tokens of its marks. */
  maxUnknownTokens: 1_024,
  /** Milliseconds of silence after which other sessions of a name are asked first: clients ping at least once a minute. */
  quietAfterMs: 70_000,
  /** Unmarked bytes behind all links together, six times `markEveryBytes`. Past it marks come early. Stops many links from holding uncounted bytes. */
  maxTailBytes: 3_145_728,
  /** Unmarked bytes behind all busy links together, 32 times `markEveryBytes`. Stops many busy links from learning a smaller budget too late. */
  maxUnmarkedBytes: 16_777_216,
  /** Bytes after which a by-name client is asked how far it has read: a quarter of `firstWindowBytes`. Stops its senders from running out of credit. */
  creditEveryBytes: 65_536,
  /** Messages that one open makes `$source` send, all at once. Stops an open from keeping the router busy. */
  maxSourceMessages: 1_024,
  /** Flow-control units that one open makes `$source` send. Stops an open from filling the router's memory. */
  maxSourceBytes: 1_048_576,
  /** The window of `$slow`, in flow-control units. */
  slowWindowBytes: 1_024,
  /** UTF-8 bytes of a realm's rules. Stops rules that take long to parse at each wake. */
  maxRulesBytes: 65_536,
  /** Names and patterns in a realm's rules, a role counted at each use. Stops rules that take long to check at each open. */
  maxRulePatterns: 4_000,
  /** Clients whose rules are cached, as openers and as peers. Stops many names from filling the object's memory. */
  maxCachedNames: 20_000,
  /** Pairs of groups of clients of which it is cached whether one may open anything to the other. Stops the same. */
  maxCachedReach: 50_000,
  /** Bytes of what an invitation lets its guest serve, in JSON: it stands in the attachment of the guest's link. */
  maxInvitationServesBytes: 512,
  /** Characters of an invitation. The longest names and protocols need nine tenths of it. Stops long texts before they are decoded. */
  maxInvitationLength: 2_048,
  /** Sessions that one invitation lets in. Stops one invitation from filling the object's storage. */
  maxInvitationUses: 1_000,
  /** Milliseconds for which a page may use its ticket. Stops tickets in logs from being of use. */
  ticketLifeMs: 30_000,
  /** Characters of a ticket. One of an invitation with the longest names and protocols needs two thirds of it. Stops long texts before they are decoded. */
  maxTicketLength: 4_096,
  /** Milliseconds until an invitation expires, at most: 366 days. Stops rows of guests from being kept for ever. */
  maxInvitationLifeMs: 31_622_400_000,
  /** Sessions of one client's guests that the object remembers at a time. Stops a client from filling the storage with guests. */
  maxGuestSessions: 10_000,
  /** Keys for tokens in a realm: the edge reads all of them at once. Stops them from filling the Worker's memory. */
  maxTokenKeys: 16,
  /** Characters of a key's id, which is a part of its holders' names. */
  maxKeyIdLength: 32,
  /** Bytes of a secret key for HMAC that an owner gives. Stops keys from filling KV's record. */
  maxGivenKeyBytes: 1_024,
  /** Characters of a token. Stops long texts before they are decoded. */
  maxTokenLength: 4_096,
  /** Characters of an `Authorization` header: a token of that length with the longest name, in base64. Stops the same. */
  maxAuthorizationLength: 8_192,
  /** Seconds until a token expires, unless its key says otherwise: a day. Stops lost tokens from being of use for long. */
  defaultTokenLifeS: 86_400,
  /** The most seconds that a key may say: 30 days. */
  maxTokenLifeS: 2_592_000,
  /** Seconds by which the clock of who signs a token may be ahead of the router's. */
  tokenLeewayS: 30,
  /** Bytes of a token's rights, in JSON: they stand in the attachment of the holder's link. */
  maxTokenRightsBytes: 512,
  /** Milliseconds for which a Worker remembers the keys of a realm. Stops tokens from costing a read of KV each. */
  keysFreshMs: 30_000,
  /** Realms whose keys a Worker remembers. Stops strangers from filling its memory. */
  maxRealmsWithKeys: 1_000,
  /** Milliseconds that the answer of a JWKS URL may take. Stops a server that hangs from keeping logins. */
  setAnswerMs: 3_000,
  /** Milliseconds between two requests to a JWKS URL by one Worker. Stops tokens of strangers from causing requests to others. */
  setPauseMs: 60_000,
  /** Milliseconds after which a set of keys is asked for again. */
  setFreshMs: 600_000,
  /** Milliseconds for which the last good keys of a set are taken while no others come: a day. Stops keys that were given up from living on. */
  setLifeMs: 86_400_000,
  /** Characters of a set of keys. Stops an endless answer from filling the Worker's memory. */
  maxSetLength: 65_536,
  /** Keys of a set that are read. */
  maxSetKeys: 32,
  /** Characters of a JWKS URL. */
  maxUrlLength: 1_024,
  /** Milliseconds between two alarms that look for expired tokens, which looks at all links of holders. Stops short lives of tokens from keeping the object busy. */
  minExpiryPauseMs: 5_000,
  /** Seconds over which failed authentications are counted; wrangler.toml says how many. Stops guessing. */
  failuresPeriodS: 60,
  /** Seconds over which links and tickets of one client are counted; wrangler.toml says how many. Stops clients from costing a request each time. */
  connectsPeriodS: 10,
  /** Bytes of a request to the admin API, except of rules. Stops a request from filling the Worker's memory. */
  maxAdminBodyBytes: 4_096,
  /** Entries in one page of the admin API. Stops an answer from filling the object's memory. */
  maxAdminPageLength: 1_000,
  /** Entries in a page of the admin API that asks for no number. */
  defaultAdminPageLength: 100,
  /** Names of clients that haven't closed their sockets which one answer of the admin API has. Stops an answer from growing without bound. */
  maxUnclosedNames: 100,
  /** Seconds for which two secrets of a client may both be valid: 30 days. Stops old secrets from staying valid unnoticed. */
  maxOverlapS: 2_592_000,
  /** Entries of the audit trail; the oldest go first. Stops a script in a loop from filling the storage. */
  maxAuditEntries: 10_000,
  /** Rows that one alarm expires or copies to KV; the next alarm continues. Stops an alarm from running too long. */
  maxRowsPerAlarm: 100,
  /** Sessions of guests that one alarm forgets; the next alarm continues. */
  maxGuestsPerAlarm: 1_000,
  /** Events between two timers, from which on an object looks whether its timers are late. Keeps an object with little to do from staying in memory. */
  timedEvents: 500,
  /** Milliseconds until such a timer is due. */
  timeEveryMs: 1_000,
  /** Milliseconds by which such a timer is late where an object has too much to do: half of what clients wait for an answer. */
  lateMs: 5_000,
  /** How many of them in a row are late before nobody is let in. Keeps one long event from refusing anybody. */
  lateTimersBeforeRefusals: 2,
  /** How many of them in a row are late before the newest busy links end. */
  lateTimersBeforeShedding: 3,
  /** Of the busy links, one in this many ends with each late timer. */
  shedOneIn: 16,
  /** Milliseconds within which the client of a busy link has sent something. */
  busyLinkMs: 30_000,
  /** Seconds over which clients spread their return to an object that has too much to do: a full one lets some 1,000 in a second. */
  overloadedRetryS: 30,
  /** Milliseconds until a failed copy to KV or to another shard is tried again; each failure doubles them. Stops retries from using up KV's quota. */
  firstCopyRetryMs: 2_000,
  /** The most milliseconds between two tries of KV: a used-up daily quota lasts for hours. */
  maxKvRetryMs: 900_000,
  /** The most milliseconds between two tries of another shard. Keeps a revocation from waiting long once that shard can be reached. */
  maxShardRetryMs: 60_000,
  /** Milliseconds in which all shards confirm a change, or the owner is told which of them did not. */
  confirmWithinMs: 1_000,
  /** Revocations that one shard tells another in one call, some 200 bytes each. Stops a call from keeping the other shard busy for long. */
  maxRevocationsPerCall: 1_000,
  /** The most milliseconds until an alarm: 30 days. Stops expiry times of the far future from breaking the alarm. */
  maxAlarmDelayMs: 2_592_000_000,
  /** Milliseconds to which a secret's last use is known. Stops each link from costing a write. */
  lastUsePrecisionMs: 3_600_000,
  /** Milliseconds between two writes of counts to storage that clients can cause. Stops clients that come and go from costing a row each time. */
  minMsBetweenUsageRows: 1_000,
  /** Messages of which the counts are kept in memory only. Stops the end of the object from losing more. */
  maxUnkeptMessages: 256,
  /** Messages of which the counts are kept in a link's attachment. Stops a restart from losing more. */
  maxMessagesInAttachment: 1_024,
  /** Milliseconds for which counts stay in a link's attachment. Stops a restart from losing more. */
  maxMsInAttachment: 3_600_000,
} as const;

/** Limits and defaults of the client that PROTOCOL.md leaves to each client. Plain numbers only, as above. */
export const clientLimits = {
  /** Milliseconds that `close` waits until peers have everything. */
  defaultCloseDeadlineMs: 5_000,
  /** Milliseconds for which Connections outlive a lost link, here or at the peer. */
  defaultGraceMs: 120_000,
  /** Bytes of the largest message that `receive` accepts. Stops one message from filling the memory. */
  defaultMaxMessageBytes: 16_777_216,
  /** Bytes of batches in which data waits for a program, half of them for one peer: what comes beyond is copied out. Stops small frames from keeping large batches. */
  maxHeldBatchBytes: 33_554_432,
  /** Bytes of unfinished messages: past half of them, a peer's messages are put together one after the other. Stops messages without an end from filling the memory. */
  maxUnfinishedBytes: 33_554_432,
  /** Bytes that wait for a program in Connections that have ended, half of them for one peer: the oldest are thrown away. Far more than the budget, which such bytes take too. Stops resets from hiding what a peer has sent. */
  maxLeftoverBytes: 134_217_728,
  /** Names of absent peers that a client has the router tell of, half of `maxWatches`: the program may watch as many itself. */
  maxSoughtNames: 4,
  /** Sessions that a watch knows, twice what a realm has sockets for. Stops a router from filling the memory by its list. */
  maxListedSessions: 65_536,
  /** Unsent bytes in a socket past which the link is lost: frames that go ahead of data, to a router that reads nothing. Stops it from filling the memory. */
  maxUnsentBytes: 67_108_864,
  /** Opens to one peer that it has not decided on, half of `maxPendingOpens`: the next ones wait. Keeps a burst from being refused. */
  maxUndecidedOpens: 512,
  /** Bytes of the first messages and the metadata of these opens, an eighth of `maxPendingFirstBytes`. Keeps a burst from filling the peer's link. */
  maxUndecidedOpenBytes: 524_288,
  /** Milliseconds after which an open is sent once more that no session served: one may have begun to in that moment. */
  crossedOpenMs: 50,
  /** Milliseconds after which another session of the peer gets an open too, if the chosen one has not answered. */
  secondOpenAfterMs: 2_500,
  /** Opens at once before their rate counts, a bit less than `maxOpensAtOnce`, since resumes and checks count there too. */
  maxOpensInBurst: 9_000,
  /** Opens in a second after that, a bit less than the router's `maxOpensPerSecond`. */
  maxPacedOpensPerSecond: 700,
  /** Milliseconds after which opens past the rate are tried again. */
  paceEveryMs: 100,
  /** Questions to the router in a second about what the rules allow with one peer. Stops a peer that comes and goes from using up the rate of opens. */
  maxChecksOfPeerPerSecond: 64,
  /** The same for all peers, a quarter of `maxOpensPerSecond`. */
  maxChecksPerSecond: 250,
  /** Milliseconds that the router's answer to an upgrade or a ping may take, and by default a peer's to an open. */
  answerWithinMs: 10_000,
  /** The same for a ping after a change of the network, when a link is more likely dead than slow. */
  networkChangeAnswerMs: 3_000,
  /** Milliseconds before the first attempt to reconnect, at most; each attempt doubles them. */
  firstRetryMs: 500,
  /** Milliseconds over which a server may ask clients to spread their reconnects. Stops a server from keeping them away. */
  maxAskedDelayMs: 60_000,
  /** The most milliseconds between two attempts to reconnect. */
  maxRetryMs: 30_000,
  /** A link that lasted for this many milliseconds was a good one: the next pause is short again. So was one on which a peer was heard. */
  goodLinkMs: 1_000,
  /** The most milliseconds between two requests to resume with a peer that is away. */
  maxResumeRetryMs: 5_000,
  /** Milliseconds within which what has arrived is acknowledged. */
  upkeepEveryMs: 1_000,
  /** Milliseconds for which a sender may hold credit that it doesn't use. */
  yieldAfterMs: 10_000,
  /** Unsent bytes in a socket past which a link accepts no data. Stops urgent frames from waiting behind it. */
  maxBufferedBytes: 262_144,
} as const;
