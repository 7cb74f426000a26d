"""Tries the client in messagepasser.py against the peers that a router plays: PROTOCOL.md, section 12."""

import argparse
import asyncio
import os
import reprlib
import sys
from collections.abc import Awaitable

from messagepasser import Client, MessagePasserError, connect

TIME_LIMIT_S = 180  # the slow receiver alone takes a thousand round trips


async def talk(client: Client, peer: str, *messages: str | bytes, protocol: str = "kit") -> list[str | bytes]:
    """What a peer sends from the open until both ends have ended, while all this is sent to it."""
    connection = await client.open(peer, protocol)

    async def say():
        for message in messages:
            await connection.send(message)
        await connection.end()

    async def hear():
        return [message async for message in connection]

    heard, _ = await asyncio.gather(hear(), say())
    return heard


async def trickle(client: Client, message: bytes) -> str:
    """Sends to who takes 1,024 bytes at a time: 1,008 of payload."""
    connection = await client.open("$slow", "kit")
    await connection.send(message)
    await connection.end()
    heard = [answer async for answer in connection]
    pieces = (connection.sent - len(message)) // 16 - 1
    split = "split" if pieces >= len(message) / 1_008 else f"only {pieces} pieces"
    return f"{split}, {connection.sent - connection.confirmed} bytes unconfirmed, {len(heard)} messages came back"


async def sizes(client: Client, protocol: str) -> list[int]:
    return [len(message) for message in await talk(client, "$source", protocol=protocol)]


async def part(client: Client, how: str):
    """Resets or closes a Connection with messages under way, and then sends all the same."""
    connection = await client.open("$echo", "kit")
    await connection.send("This is echoed to nobody")
    await (connection.reset() if how == "reset" else connection.close())
    await connection.send("too late")


def cases(client: Client) -> dict[str, tuple[object, Awaitable[object]]]:
    """What to expect, and how to get it. Of an error it is the code."""
    large = os.urandom(1_048_576)
    echoed = {
        "text": ["Grüße, 世界 👋"],
        "empty text": [""],
        "empty bytes": [b""],
        "1 byte": [b"\0"],
        "1 MiB": [large],
        "1 MiB of text that is awkward to split": ['\0"\\é世👋\u2028\ufeff' * 60_000],
        "10,000 small messages in order": [str(number) for number in range(10_000)],
    }
    rejected = {"3": "busy", "100": "unknown-protocol", "101": "rejected", "102": "handler-failed"}
    rejected |= {"107": "too-many-connections", "250": 250}
    return {
        **{f"echo: {title}": (messages, talk(client, "$echo", *messages)) for title, messages in echoed.items()},
        **{f"reject: {code}": (code, talk(client, "$reject", protocol=number)) for number, code in rejected.items()},
        "reject: no such peer": ("peer-absent", talk(client, "nobody has this name")),
        "reject: no such name": ("bad-open", talk(client, "no:such:name")),
        "half-close: 1 MiB after the peer has ended": (["no more from here"], talk(client, "$half-close", large)),
        "reset: by the peer": ("aborted", talk(client, "$reset", "This one it resets")),
        "reset: from here": ("closed", part(client, "reset")),
        "close: from here": ("closed", part(client, "close")),
        "sink: 1 MiB": ([], talk(client, "$sink", large)),
        "slow: 1 MiB": ("split, 0 bytes unconfirmed, 0 messages came back", trickle(client, large)),
        "source: 100 messages of 64 bytes": ([64] * 100, sizes(client, "100x64")),
    }


async def run(client: Client) -> bool:
    failed = 0
    for title, (expected, case) in cases(client).items():
        try:
            got = await asyncio.wait_for(case, TIME_LIMIT_S)
        except MessagePasserError as problem:
            got = problem.code
        except TimeoutError:
            got = f"nothing for {TIME_LIMIT_S} s"
        if got == expected:
            print(f"ok  {title}", flush=True)
        else:
            failed += 1
            print(f"not ok  {title}: expected {reprlib.repr(expected)}, got {reprlib.repr(got)}", flush=True)
    return failed == 0


async def connect_and_run(url: str, name: str, secret: str) -> bool:
    async with connect(url, name, secret) as client:
        return await run(client)


def main():
    parser = argparse.ArgumentParser(description="Tries messagepasser.py against a router")
    parser.add_argument("url", help="the router's, as wss://router.example.com")
    parser.add_argument("--name", required=True, help="the client's, whose secret is in MP_SECRET")
    options = parser.parse_args()
    secret = os.environ.get("MP_SECRET") or parser.error("MP_SECRET has to hold the secret")
    try:
        sys.exit(0 if asyncio.run(connect_and_run(options.url, options.name, secret)) else 1)
    except MessagePasserError as problem:
        sys.exit(f'Cannot connect to {options.url} as "{options.name}": {problem}')


if __name__ == "__main__":
    main()
