"""People at the console without their browsers: each is a session over the WebSocket that a browser opens, which asks for pages.

The server cannot tell the difference, and ten of them take no time from it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

PATIENCE = 120.0  # seconds for one page


class Person:
    """One session of the console."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.pages: dict[str, str] = {}
        """Hashes of the pages by their name in the address; the Overview's is empty."""

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator[Self]:
        """Somebody who opens the Overview of the console at ``url``."""
        address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
        with connect(address, subprotocols=["streamlit"], origin=url, max_size=None, open_timeout=PATIENCE) as connection:  # type: ignore[arg-type, list-item]
            person = cls(connection)
            person.go("")
            yield person

    def go(self, page: str) -> int:
        """Ask for a page, and wait until its script has run; returns the messages that came."""
        asked = BackMsg()
        asked.rerun_script.page_script_hash = self.pages.get(page, "")
        self._connection.send(asked.SerializeToString())
        received = 0
        while True:
            message = ForwardMsg.FromString(self._connection.recv(PATIENCE))  # type: ignore[arg-type]
            received += 1
            if message.WhichOneof("type") == "navigation":
                self.pages = {one.url_pathname if not one.is_default else "": one.page_script_hash for one in message.navigation.app_pages}
            if message.WhichOneof("type") == "script_finished":
                return received
