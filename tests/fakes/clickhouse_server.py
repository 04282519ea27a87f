"""ClickHouse's HTTP interface in front of its own engine (chdb): what a client sends is run, not imitated.

usage: python -m tests.fakes.clickhouse_server PORT DIRECTORY

One query at a time, without users, clusters and compression. Settings come as parameters of the URL, as they do there.
"""

import asyncio
import re
import sys
from typing import Any

import uvicorn
from chdb.session import Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# A server's own business: how it batches, and how a client wants to be told.
_NOT_HERE = re.compile(
    r"async_insert|wait_.*|query_id|session_.*|client_.*|.*compress.*|http_.*|send_.*|database|query"
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_INSERT = re.compile(r"\s*INSERT\b", re.IGNORECASE)


def application(directory: str) -> Starlette:
    session: Any = Session(directory)  # type: ignore[no-untyped-call]
    turn = asyncio.Lock()

    def run(sql: str, body: bytes, settings: dict[str, str], parameters: dict[str, str]) -> bytes:
        for name, value in settings.items():
            session.query(f"SET {name} = '{value}'")
        if _INSERT.match(sql):
            session.query(f"{sql}\n{body.decode()}")
            return b""
        named = _FORMAT.search(sql)
        answer = session.query(_FORMAT.sub("", sql), named.group(1) if named else "TabSeparated", params=parameters)
        return bytes(answer.bytes()) if answer is not None else b""

    async def query(request: Request) -> Response:
        body = await request.body()
        asked = request.query_params.get("query")
        sql, data = (asked, body) if asked else (body.decode(), b"")
        settings = {
            name: value
            for name, value in request.query_params.items()
            if not _NOT_HERE.fullmatch(name) and not name.startswith("param_")
        }
        parameters = {
            name.removeprefix("param_"): value
            for name, value in request.query_params.items()
            if name.startswith("param_")
        }
        async with turn:
            try:
                answer = await asyncio.to_thread(run, sql, data, settings, parameters)
            except RuntimeError as error:
                return Response(str(error), 500, {"X-ClickHouse-Exception-Code": "1"})
        named = _FORMAT.search(sql)
        headers = {"X-ClickHouse-Summary": "{}", "X-ClickHouse-Format": named.group(1) if named else "TabSeparated"}
        return Response(answer, 200, headers, media_type="text/plain")

    async def ping(_: Request) -> Response:
        return Response("Ok.\n")

    return Starlette(routes=[Route("/", query, methods=["GET", "POST"]), Route("/ping", ping)])


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
