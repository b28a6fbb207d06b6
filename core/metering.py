"""Every call that may cost something goes through here: reserve, call, settle, and try again where that can help.

An ``Account`` belongs to a batch and a ``Meter`` to one of its records in work, both on the batch's event loop; database work
leaves the loop. Each attempt is a ledger entry of its own, also one that failed, so the ledger can be held against the provider's own
count.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Generic, TypeVar

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from sqlalchemy.orm import Session
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from core import budget, kept_answers
from core.budget import Call, CeilingReached, End, NoRoom, Refusal
from core.clock import utc_now
from core.configuration import Desk
from core.failures import Action, Billed, CallFailed, Failure, FailureKind, classify
from core.group_commit import GroupCommit
from core.kept_answers import Answer
from core.models import LedgerKind
from core.pace import Pace
from core.pricing import TokenUsage, input_tokens_at_most, is_free, model_cost
from core.settings import ModelPrice, Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

BACKOFF_BASE_SECONDS = 1.0
BACKOFF_MOST_SECONDS = 60.0
ROUNDED_TO = 256  # input tokens, so that worst cases repeat and are reckoned once
ROOM_POLL_SECONDS = 0.5  # while others' reservations hold the room


@dataclass(frozen=True, slots=True)
class Bill(Generic[T]):
    """An answer and what it cost."""

    answer: T
    usd: Decimal
    tokens: TokenUsage = field(default_factory=TokenUsage)
    credits: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Keeping(Generic[T]):
    """How an answer outlives a crash: the key of what was asked, and the answer's form as JSON and back."""

    key: str
    dump: Callable[[T], str]
    load: Callable[[str], T]


@dataclass(slots=True)
class Habits:
    """What answers of this batch have taken so far, by agent: the basis for asking for less output than the setting allows."""

    largest: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def note(self, agent: str, output_tokens: int) -> None:
        self.largest[agent] = max(self.largest.get(agent, 0), output_tokens)
        self.calls[agent] = self.calls.get(agent, 0) + 1

    def enough_output(self, agent: str) -> float:
        """Output tokens with which an answer is very likely whole: half as many again as the largest of at least three."""
        return self.largest[agent] * 1.5 if self.calls.get(agent, 0) >= 3 else float("inf")


@dataclass(frozen=True, eq=False, slots=True)
class Account:
    """Who pays for the calls of one batch. Lives on its event loop; ``reserve`` and ``end`` are its work for group commit."""

    desk: Desk
    commits: GroupCommit
    settings: Settings
    pace: Pace
    owner: str
    batch_id: int
    habits: Habits = field(default_factory=Habits)
    sleep: Sleep = asyncio.sleep
    """How it waits: before another attempt, and for room in a budget."""

    def reserve(self, session: Session, calls: Sequence[Call]) -> list[int | Refusal]:
        return budget.reserve(session, calls, self.settings, owner=self.owner, now=utc_now())

    def end(self, session: Session, ended: Sequence[tuple[End, Answer | None]]) -> list[None]:
        """End calls, and keep what was answered."""
        budget.end(session, [end for end, _ in ended], now=utc_now())
        kept_answers.keep(session, [answer for _, answer in ended if answer is not None])
        return [None] * len(ended)


@dataclass(frozen=True, eq=False, slots=True)
class Meter:
    """Through which the calls of one record in work are made."""

    account: Account
    record_id: int
    article_id: int
    kept: dict[str, str] = field(default_factory=dict)
    """Answers of this record that were paid for before a crash, by key."""
    _settling: list[asyncio.Task[None]] = field(default_factory=list)

    async def pay(
        self,
        agent: str,
        provider: str,
        model: str,
        kind: LedgerKind,
        worst: Decimal,
        make: Callable[[], Awaitable[Bill[T]]],
        keeping: Keeping[T],
    ) -> T:
        """Make a call, at most ``max_attempts`` times; each attempt is reserved before and settled after.

        An answer that this record's worker paid for before a crash is taken instead; a new one is kept as it is settled.

        Raises:
            CallFailed: with what went wrong last.
            NoRoom: a budget has no room and nobody's reservation will free any.
            LeaseLost: the record was cancelled or taken over.
        """
        if keeping.key in self.kept:
            return keeping.load(self.kept[keeping.key])
        settings = self.account.settings
        attempts = AsyncRetrying(
            stop=stop_after_attempt(settings.max_attempts),
            retry=retry_if_exception(lambda error: isinstance(error, CallFailed) and error.failure.action is Action.RETRY),
            wait=wait_as_told,
            sleep=self.account.sleep,
            reraise=True,
        )
        async for attempt in attempts:
            with attempt:
                call = Call(
                    kind,
                    agent,
                    provider,
                    model,
                    worst,
                    attempt=attempt.retry_state.attempt_number,
                    batch_id=self.account.batch_id,
                    record_id=self.record_id,
                    article_id=self.article_id,
                    ceiling_usd=settings.cost_ceiling_per_article if worst else None,
                    leased=True,
                )
                async with self.account.pace:
                    return await self._attempt(call, make, keeping)
        raise AssertionError("tenacity reraises the last failure")

    async def settled(self) -> None:
        """Wait until the answered calls are settled.

        Raises:
            DatabaseUnavailable: the server stays away; recovery will end them as unknown.
        """
        settling = self._settling.copy()
        self._settling.clear()
        await asyncio.gather(*settling)

    async def _attempt(self, call: Call, make: Callable[[], Awaitable[Bill[T]]], keeping: Keeping[T]) -> T:
        entry = await self._reserve(call)
        try:
            async with asyncio.timeout(self.account.settings.call_timeout_seconds):
                bill = await make()
        except asyncio.CancelledError:
            cancelled = Failure(FailureKind.CANCELLED, Action.FAIL, Billed.MAYBE, "The call was cancelled before its answer came.")
            await asyncio.shield(self._end_failed(entry, cancelled))
            raise
        except Exception as error:
            failure = classify(error)
            if failure.kind is FailureKind.INTERNAL:
                logger.exception("call failed for an unknown reason")
            await self._end_failed(entry, failure)
            self._slow_down(failure)
            raise CallFailed(failure) from error
        self.account.pace.succeeded()
        # Not waited for: the record's next reservation is committed after it, or with it.
        answer = Answer(self.record_id, keeping.key, keeping.dump(bill.answer)) if call.worst_case_usd else None
        self._settling.append(asyncio.create_task(self._end(End.settled(entry, bill.usd, bill.tokens, bill.credits), answer)))
        return bill.answer

    async def _reserve(self, call: Call) -> int:
        while True:
            asked = asyncio.create_task(self.account.commits.run(self.account.reserve, call))
            try:
                answer = await asyncio.shield(asked)
            except asyncio.CancelledError:
                if isinstance(entry := await asked, int):
                    await self._end(End.released(entry, FailureKind.CANCELLED.value, "The call was cancelled before it was made."))
                raise
            match answer:
                case int() as entry:
                    return entry
                case CeilingReached() as refusal:
                    raise CallFailed(Failure(FailureKind.CEILING, Action.FAIL, Billed.NO, str(refusal))) from refusal
                case NoRoom(may_free=True):
                    await self.account.sleep(ROOM_POLL_SECONDS * (0.5 + random.random()))  # noqa: S311 - jitter
                case refusal:
                    raise refusal

    def _slow_down(self, failure: Failure) -> None:
        if failure.kind is FailureKind.RATE_LIMIT:
            self.account.pace.rate_limited()
        elif failure.action is Action.RETRY:
            self.account.pace.overloaded()

    async def _end_failed(self, entry: int, failure: Failure) -> None:
        end = End.released if failure.billed is Billed.NO else End.unknown
        await self._end(end(entry, failure.kind.value, failure.message))

    async def _end(self, end: End, answer: Answer | None = None) -> None:
        # First in its transaction: a reservation that goes with it may want the room.
        await self.account.commits.run(self.account.end, (end, answer), first=True)


class MeteredModel(WrapperModel):
    """Any model, paid for through a meter, one ledger entry a request."""

    def __init__(self, wrapped: Model, meter: Meter, *, agent: str, name: str) -> None:
        super().__init__(wrapped)
        self._meter = meter
        self._agent = agent
        self._name = name
        """The model as the configuration names it, by which its price is found."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        most_output = (model_settings or {}).get("max_tokens") or self._meter.account.settings.max_output_tokens
        try:
            response = await self._pay(messages, model_settings, model_request_parameters, most_output)
        except NoRoom as refusal:
            # The worst case does not fit, but what answers really take may: ask for no more output than the room pays for.
            affordable = self._affordable_output(refusal, most_output)
            if affordable < self._meter.account.habits.enough_output(self._agent):
                raise
            response = await self._pay(messages, model_settings, model_request_parameters, min(affordable, most_output))
        self._meter.account.habits.note(self._agent, response.usage.output_tokens)
        if not response.parts and response.finish_reason not in ("content_filter", "length", "error"):
            raise CallFailed(Failure(FailureKind.EMPTY, Action.FAIL, Billed.NO, "The provider's answer was empty."))
        return response

    async def _pay(
        self, messages: list[ModelMessage], model_settings: ModelSettings | None, parameters: ModelRequestParameters, most_output: int
    ) -> ModelResponse:
        prices = self._meter.account.settings.model_prices
        capped = ModelSettings(**{**(model_settings or {}), "max_tokens": most_output})

        async def make() -> Bill[ModelResponse]:
            response = await self.wrapped.request(messages, capped, parameters)
            tokens = tokens_of(response)
            cost = response.usage.cost = model_cost(self._name, tokens, prices)  # set, or pydantic-ai reckons it once more
            return Bill(response, cost, tokens)

        texts = request_text(messages)
        worst = Decimal(0)
        if not is_free(self._name):
            read = -(-request_tokens_at_most(texts, parameters) // ROUNDED_TO) * ROUNDED_TO
            worst = _worst_case(self._name, read, most_output, tuple(prices.items()))
        asked = (model_settings or {}).get("max_tokens")  # not what the room left of it, which may differ the next time
        keeping = Keeping(kept_answers.key_of(self._agent, str(asked), texts), _dump_response, _load_response)
        return await self._meter.pay(self._agent, self.wrapped.system, self._name, LedgerKind.MODEL, worst, make, keeping)

    def _affordable_output(self, refusal: NoRoom, most_output: int) -> int:
        """Output tokens that the room left pays for, once the input of the refused call is taken off."""
        prices = tuple(self._meter.account.settings.model_prices.items())
        per_token = _worst_case(self._name, 0, 1_000_000, prices) / 1_000_000
        read = refusal.asked - per_token * most_output
        return int((refusal.budget.room - read) / per_token)


def tokens_of(response: ModelResponse) -> TokenUsage:
    """The provider's own count of one response."""
    usage = response.usage
    thinking = usage.details.get("thoughts_tokens", 0) or usage.details.get("reasoning_tokens", 0)
    return TokenUsage(usage.input_tokens, usage.cache_read_tokens, usage.output_tokens - thinking, thinking)


def request_text(messages: list[ModelMessage]) -> str:
    """All that a request says, in its order, without the times and ids that differ when the same is asked again."""
    said: list[str] = []
    for message in messages:
        if isinstance(message, ModelRequest) and message.instructions:
            said.append(message.instructions)
        for part in message.parts:
            said.append(part.args_as_json_str() if isinstance(part, ToolCallPart) else str(getattr(part, "content", "")))
    return "\n".join(said)


def request_tokens_at_most(texts: str, parameters: ModelRequestParameters) -> int:
    """An upper bound of the input tokens of a request: what it says, with its schemas."""
    schemas = "".join(str(tool.parameters_json_schema) + (tool.description or "") for tool in parameters.output_tools)
    return input_tokens_at_most(texts) + _schema_tokens_at_most(schemas)


def _dump_response(response: ModelResponse) -> str:
    return ModelMessagesTypeAdapter.dump_json([response]).decode()


def _load_response(answer: str) -> ModelResponse:
    (response,) = ModelMessagesTypeAdapter.validate_json(answer)
    assert isinstance(response, ModelResponse)  # what was dumped
    return response


@lru_cache(maxsize=4_096)
def _worst_case(model: str, read: int, written: int, prices: tuple[tuple[str, ModelPrice], ...]) -> Decimal:
    return model_cost(model, TokenUsage(input=read, output=written), dict(prices))


_schema_tokens_at_most = lru_cache(maxsize=64)(input_tokens_at_most)


def wait_as_told(state: RetryCallState) -> float:
    """Seconds before the next attempt: what the provider asked for, with jitter, else exponential backoff with full jitter.

    Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    error = state.outcome.exception() if state.outcome else None
    told = error.failure.retry_after if isinstance(error, CallFailed) else None
    if told is not None:
        return min(told, 300.0) * (1 + random.random() * 0.1)  # noqa: S311 - jitter
    return random.random() * min(BACKOFF_MOST_SECONDS, BACKOFF_BASE_SECONDS * 2**state.attempt_number)  # noqa: S311
