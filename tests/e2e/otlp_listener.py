"""A gRPC server that takes every message and says yes: what an OpenTelemetry collector looks like from an Envoy.

HTTP/2 as far as that takes: frames in clear text, headers are not looked at, each request is answered with an empty message."""
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
OK_HEADERS = b"\x88\x5f\x10application/grpc"  # :status 200 and content-type, by HPACK's static table
OK_TRAILERS = b"\x00\x0bgrpc-status\x010"
MESSAGE_MAX = 1 << 20


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Listener:
    """`received` is all bytes of all messages, in the order of arrival."""

    def __init__(self):
        self.received = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as source:
            try:
                if source.read(len(PREFACE)) == PREFACE:
                    connection.sendall(frame(SETTINGS, 0, 0))
                    while self._answer(connection, source):
                        pass
            except OSError:
                pass  # the Envoy went away

    def _answer(self, connection, source):
        head = source.read(9)
        if len(head) < 9:
            return False
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = struct.unpack(">I", head[5:])[0] & 0x7FFFFFFF
        payload = source.read(length)
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            connection.sendall(frame(PING, ACK, 0, payload))
        elif kind == DATA:
            self.received = (self.received + (payload[1:] if flags & PADDED else payload))[-MESSAGE_MAX:]
            if length:
                grant = struct.pack(">I", length)
                connection.sendall(frame(WINDOW_UPDATE, 0, 0, grant) + frame(WINDOW_UPDATE, 0, stream, grant))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            connection.sendall(frame(HEADERS, END_HEADERS, stream, OK_HEADERS) + frame(DATA, 0, stream, bytes(5)) +
                               frame(HEADERS, END_HEADERS | END_STREAM, stream, OK_TRAILERS))
        return True
