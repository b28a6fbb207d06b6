"""HEAD for whatever takes GET: the same headers, and no body that anybody would have to wait for."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Asks the application as GET and passes its headers on. Files and streams of events are ended there. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        asked, told = False, anyio.Event()

        async def receiving() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return await receive()
            await told.wait()  # whoever writes on and on is told that nobody reads it
            return {"type": "http.disconnect"}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                told.set()
            elif message.get("more_body"):
                await anyio.sleep_forever()

        was = scope["asgi"]
        # An answer that goes on listens for the disconnect only below version 2.4 of the specification. The scope itself is changed, for
        # those outside read in it which route was taken.
        scope.update(method="GET", asgi={**was, "spec_version": "2.3"})
        try:
            await self.app(scope, receiving, sending)
        finally:
            scope.update(method="HEAD", asgi=was)
