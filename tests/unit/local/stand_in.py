"""A part small enough for tests: answers 200 on a port, and can misbehave on demand. Run as a script."""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def serve(port: int, journal: Path) -> None:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        door.listen()
        with journal.open("a") as file:
            file.write(f"{port} {os.getpid()}\n")
        while True:
            caller, _ = door.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(ANSWER)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("journal", type=Path)
    parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--with-child", action="store_true", help="leave a process behind")
    parser.add_argument("--broken", action="store_true", help="end at once")
    options = parser.parse_args()
    if options.broken:
        sys.exit(7)
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.with_child and os.fork() == 0:
        with options.journal.open("a") as file:
            file.write(f"child {os.getpid()}\n")
        signal.pause()

    def end(*_: object) -> None:
        with options.journal.open("a") as file:
            file.write(f"end {options.port}\n")
        os._exit(0)

    if not options.deaf:
        signal.signal(signal.SIGTERM, end)
    serve(options.port, options.journal)


main()
