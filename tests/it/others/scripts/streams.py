"""A client on asyncio's streams, with uvloop's loop if that is its first argument; a line for each trial."""

import asyncio
import os
import socket
import struct
import sys

HOST = "127.0.0.1"
COUNT = 1_000_000


async def hello(port):
    reader, _writer = await asyncio.open_connection(HOST, port)
    return await reader.read() == b"Hello World!\0"


async def echo(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    data = os.urandom(COUNT)
    writer.write(data)
    returned, _ = await asyncio.gather(reader.readexactly(COUNT), writer.drain())
    writer.close()
    return returned == data


async def half_close(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    data = os.urandom(COUNT)
    writer.write(data)
    writer.write_eof()
    return await reader.read() == data


async def reset(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"x")
    returned = await reader.readexactly(1)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
    return returned == b"x"


async def chat(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    for message in ["one\n", "안녕\n", "QUIT\n"]:
        writer.write(message.encode())
        if await reader.readline() != message.encode():
            return False
    return await reader.read() == b""


async def main():
    ports = [int(port) for port in sys.argv[2:]]
    for trial, port in [(hello, 0), (echo, 1), (half_close, 1), (reset, 1), (chat, 2)]:
        verdict = "yes" if await trial(ports[port]) else "no"
        print(trial.__name__.replace("_", "-"), verdict, flush=True)


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())
