"""Gemini through Google's own client. Imported when the first call is to be made: the client's types take 25 MB."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from google import genai
from google.genai.types import HttpOptions, HttpRetryOptions
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from core.settings import Settings


@asynccontextmanager
async def open_gemini(model: str, key: str, settings: Settings, connections: int) -> AsyncIterator[GoogleModel]:
    """A Gemini model of its own for the running event loop; its connections are closed at the end of the block.

    ``connections`` are those open at once, at most.
    """
    # aiohttp, for its pool: httpx looks at every idle connection at each request.
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        client = genai.Client(
            api_key=key,
            http_options=HttpOptions(
                base_url=settings.gemini_base_url,
                headers={"user-agent": "signaldesk"},
                timeout=int(settings.call_timeout_seconds * 1000),
                retry_options=HttpRetryOptions(attempts=1),  # else the client itself repeats a call whose connection broke
                aiohttp_client=session,
            ),
        )
        yield GoogleModel(model, provider=GoogleProvider(client=client))
