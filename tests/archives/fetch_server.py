"""A local HTTP server that misbehaves as told, request by request."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Server:
    """Answers each path with its list of behaviours in turn; the last one stays."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return f"{self.url}{path}"

    def asked(self, path: str) -> list[dict[str, str]]:
        return [headers for where, headers in self.seen if where == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server.state
        with server.lock:
            server.seen.append((self.path, dict(self.headers)))
            answers = server.answers.get(self.path, [status(404)])
            answer = answers[min(server.counts[self.path], len(answers) - 1)]
            server.counts[self.path] += 1
        with suppress(ConnectionError):
            answer(self)
        self.close_connection = True

    def begin(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def running() -> Iterator[Server]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.state = Server(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(data: bytes, etag: str = '"v1"', **more: str) -> Answer:
    """As a good server does: the file, or the rest of it where If-Range agrees."""

    def answer(handler: Handler) -> None:
        start, headers = _start(handler, etag), {"ETag": etag, **more}
        if start >= len(data) > 0:
            handler.begin(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        handler.begin(206 if start else 200, {**headers, "Content-Length": str(len(data) - start)})
        handler.wfile.write(data[start:])

    return answer


def _start(handler: Handler, etag: str) -> int:
    asked = handler.headers.get("Range")
    if asked is None or handler.headers.get("If-Range") != etag:
        return 0
    return int(asked.removeprefix("bytes=").removesuffix("-"))


def cut(data: bytes, after: int, etag: str = '"v1"') -> Answer:
    """Breaks the connection when the file has got to `after` bytes."""

    def answer(handler: Handler) -> None:
        start = _start(handler, etag)
        headers = {"ETag": etag, "Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        handler.begin(206 if start else 200, headers)
        handler.wfile.write(data[start:after])

    return answer


def deaf(data: bytes, etag: str = '"v1"', said: int | None = None) -> Answer:
    """Ignores Range, and says a length that may be wrong."""

    def answer(handler: Handler) -> None:
        length = len(data) if said is None else said
        handler.begin(200, {"ETag": etag, "Content-Length": str(length)})
        handler.wfile.write(data)

    return answer


def careless(data: bytes, etag: str) -> Answer:
    """Sends the rest of another version, whatever If-Range says."""

    def answer(handler: Handler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        place = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        length = {"Content-Length": str(len(data) - start)}
        handler.begin(206 if start else 200, {"ETag": etag, **length, **place})
        handler.wfile.write(data[start:])

    return answer


def status(code: int, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.begin(code, {"Content-Length": "0", **named})

    return answer


def drip(data: bytes, pause_s: float) -> Answer:
    """Sends a byte at a time."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"ETag": '"v1"', "Content-Length": str(len(data))})
        for byte in data:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(pause_s)

    return answer


def silent(seconds: float) -> Answer:
    """Takes the question and says nothing."""
    return lambda _: time.sleep(seconds)


def chunked(data: bytes, *, ends: bool = True) -> Answer:
    """Sends the file in chunks, without its length; the last chunk may be missing."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"Transfer-Encoding": "chunked"})
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        if ends:
            handler.wfile.write(b"0\r\n\r\n")

    return answer
