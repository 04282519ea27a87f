"""Middleware for vLLM: each answer names the Knative revision that gave it. Runs in the predictor, on its own."""

import os


class Revision:
    def __init__(self, app):  # type: ignore[no-untyped-def]
        self.app, self.named = app, (b"llama-mapper-revision", os.environ.get("K_REVISION", "").encode())

    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
        async def naming(message):  # type: ignore[no-untyped-def]
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self.named]
            await send(message)

        await self.app(scope, receive, naming)
