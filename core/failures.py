"""Errors have kinds: one pure function says of what went wrong what it is, whether it was billed, and what to do.

``classify`` is the only place that looks into the exceptions of the providers' clients. The table in the README is this one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_ai.exceptions import ModelAPIError


class FailureKind(StrEnum):
    RATE_LIMIT = "rate_limit"
    OVERLOAD = "overload"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    QUOTA = "quota"
    KEY = "key"
    MODEL = "model"
    REJECTED = "rejected"
    BAD_ANSWER = "bad_answer"
    BLOCKED = "blocked"
    CUT_OFF = "cut_off"
    EMPTY = "empty"
    BUDGET = "budget"
    CEILING = "ceiling"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Action(StrEnum):
    RETRY = "retry"  # the same call again, after a wait
    STOP = "stop"  # no call of this batch can succeed until a person changes something: pause it
    FAIL = "fail"  # this article only


class Billed(StrEnum):
    NO = "no"  # the provider refused it
    MAYBE = "maybe"  # it may have been done although no answer came


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed call was and what follows. ``message`` is for a person and holds no secret."""

    kind: FailureKind
    action: Action
    billed: Billed
    message: str
    retry_after: float | None = None
    """Seconds that the provider asks to wait."""


class CallFailed(Exception):
    """A call that ended in a failure."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class ResearchRefused(Exception):
    """A search provider's answer that is not a success."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(message)


def classify(error: BaseException) -> Failure:  # noqa: PLR0911, PLR0912 - one row of the table a return
    """The row of the table that ``error`` falls under."""
    if isinstance(error, CallFailed):
        return error.failure
    words = provider_words(error)
    # The clients are imported with the first error: together they take 50 MB, which a console that runs nothing does not need.
    import aiohttp
    import httpx
    import httpx2
    from pydantic_ai.exceptions import (
        ContentFilterError,
        ModelAPIError,
        ModelAuthenticationError,
        ModelConnectionError,
        ModelHTTPError,
        ModelNotFoundError,
        ModelOverloadedError,
        ModelQuotaExceededError,
        ModelRateLimitError,
        ModelRequestRejectedError,
        ModelServerError,
        ModelTimeoutError,
        ModelUnavailableError,
        OutputTokenLimitExceeded,
        UnexpectedModelBehavior,
        UserError,
    )

    match error:
        case ModelQuotaExceededError():
            return Failure(
                FailureKind.QUOTA,
                Action.STOP,
                Billed.NO,
                f"The provider's quota is used up: {words} Raise the plan, or wait until it renews.",
            )
        case ModelRateLimitError() if _is_daily(error):
            return Failure(
                FailureKind.QUOTA,
                Action.STOP,
                Billed.NO,
                f"The provider's daily quota is used up: {words} Raise the plan, or wait until it renews.",
            )
        case ModelRateLimitError():
            return Failure(FailureKind.RATE_LIMIT, Action.RETRY, Billed.NO, f"The provider limits the rate: {words}", error.retry_after)
        case ModelAuthenticationError():
            return Failure(
                FailureKind.KEY, Action.STOP, Billed.NO, f"The provider refuses the key: {words} Check GEMINI_API_KEY and start again."
            )
        case ModelHTTPError() if "API_KEY_INVALID" in str(error.body) or error.status_code in (401, 403):
            return Failure(
                FailureKind.KEY, Action.STOP, Billed.NO, f"The provider refuses the key: {words} Check GEMINI_API_KEY and start again."
            )
        case ModelNotFoundError():
            return Failure(
                FailureKind.MODEL, Action.STOP, Billed.NO, f"The model is not available: {words} Choose another model in the settings."
            )
        case ModelTimeoutError() | TimeoutError() | httpx.TimeoutException() | httpx2.TimeoutException():
            return Failure(FailureKind.TIMEOUT, Action.RETRY, Billed.MAYBE, "The call got no answer within the time set for it.")
        case ModelConnectionError() | httpx.TransportError() | httpx2.TransportError() | aiohttp.ClientError():
            return Failure(FailureKind.CONNECTION, Action.RETRY, Billed.MAYBE, f"The connection to the provider broke: {words}")
        case ModelOverloadedError() | ModelUnavailableError() | ModelServerError():
            return Failure(
                FailureKind.OVERLOAD, Action.RETRY, Billed.NO, f"The provider is overloaded or failing: {words}", error.retry_after
            )
        case ModelHTTPError() if error.status_code >= 500:
            return Failure(FailureKind.OVERLOAD, Action.RETRY, Billed.NO, f"The provider is failing: {words}", error.retry_after)
        case ModelRequestRejectedError() | ModelHTTPError():
            return Failure(FailureKind.REJECTED, Action.FAIL, Billed.NO, f"The provider rejects the request: {words}")
        case ContentFilterError():
            return Failure(
                FailureKind.BLOCKED,
                Action.FAIL,
                Billed.NO,
                "The provider's safety filter blocked the article; it cannot be analysed with this model.",
            )
        case OutputTokenLimitExceeded():
            return Failure(
                FailureKind.CUT_OFF,
                Action.FAIL,
                Billed.NO,
                "The answer was cut off by the token limit. Raise 'Output tokens' in the settings and retry.",
            )
        case UnexpectedModelBehavior():
            return Failure(
                FailureKind.BAD_ANSWER,
                Action.FAIL,
                Billed.NO,
                f"The answer did not fit what was asked for, also after one correction: {words}",
            )
        case ResearchRefused():
            return _research_failure(error, words)
        case ModelAPIError():
            return Failure(FailureKind.CONNECTION, Action.RETRY, Billed.MAYBE, f"The provider's answer could not be used: {words}")
        case UserError():
            return Failure(FailureKind.MODEL, Action.STOP, Billed.NO, f"The model cannot be used: {words}")
        case ValueError():  # google-genai and tavily-python raise it for a body that is not JSON
            return Failure(FailureKind.CONNECTION, Action.RETRY, Billed.MAYBE, f"The provider's answer was not readable: {words}")
    return Failure(FailureKind.INTERNAL, Action.FAIL, Billed.MAYBE, f"{type(error).__name__}: {words}")


def provider_words(error: BaseException) -> str:
    """What the provider said, in one sentence of at most 300 characters."""
    body = getattr(error, "body", None)
    message = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(message, dict):
        message = message.get("message")
    words = " ".join(str(message or error or type(error).__name__).split())[:300]
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _is_daily(error: "ModelAPIError") -> bool:
    return "PerDay" in str(error.body) or "per day" in str(error.body).lower()


def _research_failure(error: ResearchRefused, words: str) -> Failure:
    match error.status:
        case 429:
            return Failure(
                FailureKind.RATE_LIMIT, Action.RETRY, Billed.NO, f"The search provider limits the rate: {words}", error.retry_after
            )
        case 432 | 433:
            return Failure(
                FailureKind.QUOTA,
                Action.STOP,
                Billed.NO,
                f"The search plan's limit is reached: {words} Raise it, or set Research to archive.",
            )
        case 401 | 403:
            return Failure(
                FailureKind.KEY,
                Action.STOP,
                Billed.NO,
                f"The search provider refuses the key: {words} Check TAVILY_API_KEY and start again.",
            )
        case status if status >= 500:
            return Failure(FailureKind.OVERLOAD, Action.RETRY, Billed.NO, f"The search provider is failing: {words}", error.retry_after)
    return Failure(FailureKind.REJECTED, Action.FAIL, Billed.NO, f"The search provider rejects the search: {words}")
