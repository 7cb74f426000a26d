"""A MessagePasser client in the format mp.v1.json, made from PROTOCOL.md: sections are its sections.

async with connect("wss://router.example.com", "alice", secret) as client:
    connection = await client.open("bob", "greeting")
    await connection.send("Hello, bob")
    async for message in connection: ...
"""

import argparse, asyncio, base64, collections, contextlib, itertools, json, os, reprlib, sys

from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

FRAME_COST = 16  # what a frame counts besides its payload: section 7.2
WINDOW, MIN_WINDOW = 262_144, 16_384  # the limit of who names none, and the smallest that keeps messages whole
PIECE = 16_384  # were it all control characters, 98,304 bytes of JSON: a WebSocket message has at most 131,072
MAX_MESSAGE, MAX_UNREAD, MAX_PENDING = 16_777_216, 4_194_304, 1_024  # what this client holds before it reads no more


class MessagePasserError(Exception):
    """Its `code` is one of section 9, a number if it has no name; or closed, link-lost, peer-gone, unreachable."""

    def __init__(self, code: str | int, reason: str = ""):
        super().__init__(f"{code}: {reason}" if reason else str(code))
        self.code, self.reason = code, reason


class Waitable:
    def __init__(self):
        self.error, self._changed = None, asyncio.Event()

    async def _until(self, ready):
        while not (self.error or ready()):
            self._changed.clear()
            await self._changed.wait()

    def _fail(self, error: MessagePasserError):
        self.error = self.error or error
        self._changed.set()


class Connection(Waitable):
    def __init__(self, client: "Client", peer: str, id: str, protocol: str, metadata: dict[str, str], limit: int = -1):
        super().__init__()
        self._client, self.peer, self._id, self.protocol, self.metadata = client, peer, id, protocol, metadata
        self.sent = self.acknowledged = 0  # offsets: what this end sent, and what the other end says that it has
        self._limit = self._window = limit  # -1: the other end has not accepted
        self._ended = self._peer_ended = False
        self._pieces, self._messages, self._unread, self._sending = [], collections.deque(), 0, asyncio.Lock()
        client._connections[peer, id] = self

    async def send(self, message: str | bytes):
        """Returns once the other end has room for the message; cancelled in its middle, resets the Connection."""
        is_text, more = isinstance(message, str), False
        rest = memoryview(message.encode() if is_text else bytes(message))
        # Section 7.2: what costs no more than half of the smallest window isn't split, elsewhere no character is.
        least = MIN_WINDOW // 2 - FRAME_COST if self._window >= MIN_WINDOW else 4
        try:
            async with self._sending:
                while True:
                    room = await self._room(min(len(rest), least))
                    size = min(room, len(rest), PIECE)
                    while is_text and size < len(rest) and rest[size] & 0xC0 == 0x80:
                        size -= 1
                    piece, rest = bytes(rest[:size]), rest[size:]
                    payload = {"text": piece.decode()} if is_text else {"base64": base64.b64encode(piece).decode()}
                    more = len(rest) > 0
                    await self._tell("data", **payload, more=more, **self._move(size))
                    if not more:
                        return
        except asyncio.CancelledError:
            if more:
                await self.reset()
            raise

    async def end(self):
        """No more from here; the other direction goes on."""
        async with self._sending:
            if not self._ended:
                await self._room(0)
                self._ended = True
                await self._tell("end", **self._move(0))

    async def close(self):
        """Ends both directions in good order: what was sent arrives, what still comes is thrown away."""
        if not self._peer_ended and not self.error:
            self._peer_ended = True
            await self._tell("stop")
        if not self.error:
            await self.end()
        self._messages.clear()

    async def reset(self, code: str | int = "aborted", reason: str = ""):
        """Ends both directions at once."""
        if not self.error and not (self._ended and self._peer_ended):
            self._fail(MessagePasserError(code, reason or "This end reset it"))
            await self._tell("reset", code=code, reason=reason)

    def __aiter__(self):
        return self

    async def __anext__(self) -> str | bytes:
        await self._until(lambda: self._messages or self._peer_ended)
        if self._messages:
            ...
