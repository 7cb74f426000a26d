"""A MessagePasser client in the format mp.v1.json, made from PROTOCOL.md: "section" is one of that document."""

import asyncio, base64, collections, contextlib, json, weakref
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

COST = 16  # what a frame counts besides its payload: section 7.2
WINDOW, MIN_WINDOW = 262_144, 16_384  # the limit of who names none, and the smallest that keeps messages whole
PIECE = 16_384  # were it all control characters, 98,304 bytes of JSON: a WebSocket message has at most 196,608
MAX_UNREAD, MAX_PENDING = 4_194_304, 1_024  # characters or bytes, and opens, that the program has not taken

class MessagePasserError(Exception):
    """Its `code` is one of section 9, a number if it has no name; or closed, link-lost, peer-gone, unreachable."""
    def __init__(self, code: str | int, reason: str):
        super().__init__(f"{code}: {reason}" if reason else str(code))
        self.code = code

class Connection:
    def __init__(self, client: "Client", frame: dict, limit: int):
        self.peer, self.protocol, self.metadata = frame["peer"], frame["protocol"], frame.get("metadata", {})
        self.sent = self.confirmed = 0  # offsets: where this end's half stands, and how far the other end has it
        self._client, self._id, self._limit, self._window = client, frame["connection"], limit, limit
        self._ended, self._peer_ended, self._error, self._sending = False, False, None, asyncio.Lock()
        self._pieces, self._messages, self._unread = [], collections.deque(), 0
        client._connections[self._id] = self

    async def send(self, message: str | bytes):
        """Returns once the other end has room for the message. Cancelled, it resets: half may be under way."""
        text, more = isinstance(message, str), True
        rest = memoryview(message.encode() if text else bytes(message))
        # What costs no more than half of the smallest window isn't split; where windows are tiny, no character is.
        least = MIN_WINDOW // 2 - COST if self._window >= MIN_WINDOW else 4
        async with self._sending:
            try:
                while more:
                    size = min(await self._room(min(least, len(rest))), len(rest), PIECE)
                    while text and size < len(rest) and rest[size] & 0xC0 == 0x80: size -= 1  # inside a character
                    piece, rest, more = bytes(rest[:size]), rest[size:], size < len(rest)
                    payload = {"text": piece.decode()} if text else {"base64": base64.b64encode(piece).decode()}
                    await self._tell("data", size, **payload, more=more)
            except asyncio.CancelledError:
                await self.reset()
                raise

    async def end(self):  # no more from here; the other direction goes on
        async with self._sending:
            if self._ended: return
            await self._room(0)
            self._ended = True
            await self._tell("end", 0)

    async def close(self):  # ends both directions in good order: what was sent arrives, what still comes is thrown away
        if not self._peer_ended:
            self._peer_ended = True
            await self._tell("stop")
        await self.end()

    async def reset(self, code: str | int = "aborted", reason: str = ""):  # ends both directions at once
        if not self._error:
            self._error = ("closed", "This end has reset the Connection")
            await self._client._send("reset", self, code=code, reason=reason)

    def __aiter__(self): return self
    async def __anext__(self) -> str | bytes:
        await self._client._reach()
        await self._client._until(self, lambda: self._messages or self._peer_ended)
        if not self._messages: raise StopAsyncIteration
        self._unread -= len(self._messages[0])
        return self._messages.popleft()

    async def _room(self, least: int) -> int:
        await self._client._until(self, lambda: self._ended or self._limit - self.sent >= least + COST)
        if self._ended: raise MessagePasserError("closed", f"This end has ended, or {self.peer} reads no more")
        return self._limit - self.sent - COST

    async def _tell(self, kind: str, size: int | None = None, **fields):
        if error := self._error or self._client._error: raise MessagePasserError(*error)
        if size is not None: fields["offset"], self.sent = self.sent, self.sent + size + COST
        await self._client._send(kind, self, **fields)

    def _take(self, frame: dict):
        if self._error: return
        match frame["type"]:
            case "accept": self._limit = self._window = frame.get("limit", WINDOW)
            case "credit": self._limit, self.confirmed = max(self._limit, frame["limit"]), frame["received"]
            case "data" if not self._peer_ended:
                self._pieces.append(frame["text"] if "text" in frame else base64.b64decode(frame["base64"]))
                if not frame.get("more"):
                    self._messages.append(type(self._pieces[0])().join(self._pieces))
                    self._pieces, self._unread = [], self._unread + len(self._messages[-1])
            case "end": self._peer_ended = True
            case "stop": self._ended = True
            case "refused" | "reset": self._error = (frame["code"], frame.get("reason", ""))
            case "done" | "gone" if not (self._ended and self._peer_ended):
                self._error = ("peer-gone", f"{self.peer} has left, or lost the Connection")

class Client:
    def __init__(self, socket):
        self.name, self._error, self._socket, self._last_id, self._token = "", None, socket, 0, None
        self._opens, self._changed = {}, asyncio.Event()
        self._connections = weakref.WeakValueDictionary()  # frames for those that nobody holds any more get "done"

    async def open(self, peer: str, protocol: str, metadata: dict[str, str] | None = None) -> Connection:
        self._last_id += 1
        frame = {"connection": f"{self.name}:{self._last_id}", "protocol": protocol, "metadata": metadata or {}}
        connection = Connection(self, {"peer": peer, **frame}, limit=-1)
        await connection._tell("open", protocol=protocol, metadata=connection.metadata)
        await self._until(connection, lambda: connection._limit >= 0)
        return connection

    def accept(self, protocol: str):  # async for connection in client.accept("greeting")
        opens = self._opens.setdefault(protocol, collections.deque())
        async def connections():
            while True:
                await self._until(self, lambda: opens)
                connection = opens.popleft()
                if connection._error: continue
                await connection._tell("accept")
                yield connection
        return connections()

    async def _until(self, what: "Client | Connection", ready):
        while not ready():
            if error := what._error or self._error: raise MessagePasserError(*error)
            self._changed.clear()
            await self._changed.wait()

    async def _send(self, kind: str, of: Connection | None = None, **fields):
        self._changed.set()  # what its caller has changed, others may wait for
        if of: fields |= {"peer": of.peer, "connection": of._id}
        with contextlib.suppress(ConnectionClosed):  # _read hears of that too, and says why
            await self._socket.send(json.dumps({"type": kind, **fields}, ensure_ascii=False))

    async def _reach(self):  # answers the last mark, unless the program lags behind: that gives peers credit
        if self._token and sum(connection._unread for connection in self._connections.values()) <= MAX_UNREAD:
            token, self._token = self._token, None
            await self._send("reached", token=token)

    async def _beat(self):
        with contextlib.suppress(ConnectionClosed):
            while True:  # without, the router takes a silent link for lost: section 3
                await asyncio.sleep(25)
                await self._socket.send("mp:ping")

    async def _read(self):
        problem = "The router has ended it"
        try:
            async for text in self._socket:
                frames = json.loads(text) if text != "mp:pong" else []
                for frame in frames if isinstance(frames, list) else [frames]:
                    await self._take(frame)
                    self._changed.set()
        except Exception as failure:
            problem = repr(failure)
        self._error = self._error or ("link-lost", problem)
        self._changed.set()

    async def _take(self, frame: dict):
        connection = self._connections.get(frame.get("connection"))
        match frame["type"]:
            case "welcome": self.name = frame["name"]
            case "closing": self._error = (frame.get("name", "closed"), frame["reason"])
            case "mark":
                self._token = frame["token"]
                await self._reach()
            case "gone":
                for lost in [of for of in self._connections.values() if of.peer == frame["peer"]]: lost._take(frame)
            case "open":
                opens = self._opens.get(frame["protocol"])
                connection = Connection(self, frame, frame.get("limit", WINDOW))
                if opens is None or len(opens) >= MAX_PENDING:
                    await connection._tell("reset", code="unknown-protocol" if opens is None else "busy")
                else:
                    opens.append(connection)
            case "accept" | "data" | "end" if connection is None:
                await self._send("done", peer=frame["peer"], connection=frame["connection"])
            case _ if connection and frame.get("peer", connection.peer) == connection.peer:  # the router names none
                connection._take(frame)

@contextlib.asynccontextmanager
async def connect(url: str, name: str, secret: str, realm: str = "default"):
    headers = {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}
    options = {"subprotocols": ["mp.v1.json"], "compression": None, "max_size": 524_288}
    try:
        socket = await dial(f"{url.rstrip('/')}/connect/{realm}", additional_headers=headers, **options)
    except (OSError, InvalidHandshake, InvalidURI) as problem:
        answer = {"code": "unreachable", "detail": f"{url}: {problem}"}
        with contextlib.suppress(AttributeError, ValueError): answer = json.loads(problem.response.body)  # section 3
        raise MessagePasserError(answer["code"], answer["detail"]) from None
    client = Client(socket)
    tasks = [asyncio.create_task(client._read()), asyncio.create_task(client._beat())]
    try:
        await client._until(client, lambda: client.name)
        yield client
    finally:
        await client._send("bye")
        await asyncio.wait(tasks[:1], timeout=5)
        for task in tasks: task.cancel()
        await socket.close()
