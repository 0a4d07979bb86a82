# SPDX-License-Identifier: BSD-2-Clause
"""A small WebSocket server (RFC 6455) as a script of backend.Backend, and a client's frames."""
import base64
import hashlib
import os
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def frame(opcode, payload, masked=False):
    """One whole message."""
    mask = 128 if masked else 0
    head = bytes([128 | opcode])
    if len(payload) < 126:
        head += bytes([mask | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack(">BH", mask | 126, len(payload))
    else:
        head += struct.pack(">BQ", mask | 127, len(payload))
    if masked:
        key = os.urandom(4)
        stream = (key * (len(payload) // 4 + 1))[:len(payload)]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(
            len(payload), "big")
        head += key
    return head + payload


def read_frame(take):
    """(opcode, payload) of a message in one or more frames; take(count) gives so many bytes."""
    message, first = b"", None
    while True:
        start, length = take(2)
        masked, length = length & 128, length & 127
        if length == 126:
            length = struct.unpack(">H", take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", take(8))[0]
        key = take(4) if masked else b""
        payload = take(length)
        if masked and payload:
            stream = (key * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(
                length, "big")
        message += payload
        first = start & 15 if first is None else first
        if start & 128:
            return first, message


def handshake(request, *fields):
    """Accepts the upgrade."""
    request.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n"
                 % (accept_key(request.get("Sec-WebSocket-Key", "")).encode(),
                    b"".join(field.encode() + b"\r\n" for field in fields)))


def echo(request):
    """Greets, sends back each message, and ends as the protocol asks."""
    handshake(request)
    peer = request.peer
    peer.send(frame(TEXT, b"welcome"))
    while True:
        opcode, payload = read_frame(peer.take)
        if opcode == CLOSE:
            peer.send(frame(CLOSE, payload))
            peer.finish()
            peer.wait_end()
            return
        if opcode == PING:
            peer.send(frame(PONG, payload))
        elif opcode in (TEXT, BINARY):
            peer.send(frame(opcode, payload))
