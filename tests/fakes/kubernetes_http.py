"""The API server's HTTP face, in a thread: paths, verbs, the bearer token, streams of watch events."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.fakes.kubernetes_api import ApiServer, Body, Refused

TOKEN = "token-of-a-service-account"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ApiServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._answer(url.path, query, yaml.safe_load(raw) if raw else {})
        except Refused as refused:
            self._send(refused.code, refused.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the base's names

    def _answer(self, path: str, query: Mapping[str, str], body: Body) -> None:
        api, parts = self.api, path.strip("/").split("/")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "Unauthorized")
        if parts[:2] == ["api", "v1"]:  # the core group, which has no name
            parts = ["apis", "", *parts[1:]]
        if len(parts) < 6 or parts[0] != "apis" or parts[3] != "namespaces":
            raise Refused(404, "the server could not find the requested resource")
        api.before(self.command, path)
        api.asked.append((self.command, path, query))
        group, namespace, plural = parts[1], parts[4], parts[5]
        name, subresource = (*parts[6:8], "", "")[:2]
        watch = query.get("watch", "").lower() == "true"
        selected = dict(part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part)
        only, labels = name or selected.get("metadata.name"), query.get("labelSelector", "")
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(self.command)
        verb = verb or ("watch" if watch else "get" if name else "list")
        api.allow(verb, group, "/".join(part for part in (plural, subresource) if part), only)
        key, manager = (group, plural, namespace, name), query.get("fieldManager", "")
        if watch:
            since, seconds = int(query.get("resourceVersion") or 0), float(query.get("timeoutSeconds") or 0)
            self._stream(api.watched(group, plural, namespace, only, since, seconds or None, labels))
        elif self.command == "GET":
            self._send(200, api.shown(key) if name else api.listed(group, plural, namespace, only, labels))
        elif self.command == "POST":
            self._send(201, api.create((*key[:3], body["metadata"]["name"]), body, manager))
        elif self.command == "DELETE":
            self._send(200, api.delete(key, body.get("preconditions") or {}))
        elif self.command == "PUT":
            self._send(200, api.replace(key, subresource, body, manager))
        else:
            force, dry = query.get("force", "").lower() == "true", query.get("dryRun") == "All"
            kind = self.headers.get("Content-Type", "").partition(";")[0]
            self._send(200, api.patch(key, subresource, body, kind, manager, force=force, dry=dry))

    def _send(self, code: int, body: Body) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[Body]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in events:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


@contextmanager
def serving(api: ApiServer) -> Iterator[ApiServer]:
    """Run *api* on a port of the loopback."""
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        api.close()
        server.shutdown()
        server.server_close()
        thread.join()
