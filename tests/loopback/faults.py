"""Faults on demand: which request is hit (``Rule``, ``Faults``), and the error body each provider sends for it.

The bodies follow the recorded and documented ones in ``data/wire``; a client tells some of them apart by their words
only (Tavily's 403, 432 and 433; Gemini's "overloaded"), so those words are part of the wire format and kept.
"""

from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

PROVIDERS = ("gemini", "tavily", "coindesk")

#: Answered with an error status, by the provider: never billed unless the rule says so.
STATUSES = {
    "rate_limit": 429,  # Gemini: RetryInfo.retryDelay in the body
    "rate_limit_header": 429,  # Retry-After header, no RetryInfo
    "quota_day": 429,  # Gemini: quotaId ...PerDay..., with a retryDelay that will not help
    "server_error": 500,
    "overloaded": 503,
    "unavailable": 503,
    "outage": 503,  # a switch: everything, until the rule is deleted
    "deadline": 504,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "key_invalid": 400,  # Tavily and CoinDesk: 401
    "bad_request": 400,
    "plan_limit": 432,  # Tavily
    "paygo_limit": 433,  # Tavily
}
#: Answered with status 200 by Gemini, and billed as its usage says.
SPOILED = ("schema_violation", "safety", "blocked", "empty", "max_tokens", "malformed_call", "fabricated")
#: Answered with status 200 by Tavily, and billed.
SEARCHES = ("no_results",)
#: What happens between the two. ``reset`` and ``html`` before any work is done, ``reset_billed`` and ``bad_json`` after.
TRANSPORT = ("reset", "reset_billed", "hang", "trickle", "bad_json", "html")
KINDS = (*STATUSES, *SPOILED, *SEARCHES, *TRANSPORT)


@dataclass
class Rule:
    """When a fault strikes. Every condition that is given must hold; with none, each request of the provider is hit.

    ``contains`` limits it to requests whose body has those words (one article, one query); the counting conditions count
    the requests that pass it. ``count`` is how often it strikes at most. ``seconds``: hang that long, then answer (for
    ever without); or the length of a trickle. ``retry_delay``: seconds advised. ``billed`` overrides what is usual.
    """

    kind: str
    provider: str = "*"
    probability: float | None = None
    first_n: int | None = None
    every_n: int | None = None
    after_n: int | None = None
    count: int | None = None
    contains: str | None = None
    seconds: float | None = None
    retry_delay: float = 1.0
    billed: bool | None = None
    id: int = 0
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.provider not in (*PROVIDERS, "*"):
            raise ValueError(f"no provider is called {self.provider!r}; there are {', '.join(PROVIDERS)} and *")

    def applies(self, provider: str) -> bool:
        """Whether the rule can strike a request of ``provider`` at all."""
        if self.provider not in ("*", provider):
            return False
        if self.kind in SPOILED:
            return provider == "gemini"
        return provider == "tavily" if self.kind in (*SEARCHES, "plan_limit", "paygo_limit") else True

    def strikes(self, provider: str, body: bytes, rng: Random) -> bool:
        """Count the request, and say whether it is hit."""
        if not self.applies(provider) or (self.contains is not None and self.contains.encode() not in body):
            return False
        self.seen += 1
        hit = (
            (self.count is None or self.fired < self.count)
            and (self.first_n is None or self.seen <= self.first_n)
            and (self.every_n is None or self.seen % self.every_n == 0)
            and (self.after_n is None or self.seen > self.after_n)
            and (self.probability is None or rng.random() < self.probability)
        )
        self.fired += hit
        return hit


@dataclass
class Faults:
    """The rules in force; the first that strikes wins. Deterministic for a seed and an order of requests."""

    seed: int = 7
    rules: list[Rule] = field(default_factory=list)
    _next: int = 1

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def add(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Put rules in force. Raises ValueError or TypeError for one that makes no sense; then none is added."""
        new = [Rule(**rule) for rule in rules]
        for rule in new:
            rule.id, self._next = self._next, self._next + 1
        self.rules += new
        return [asdict(rule) for rule in new]

    def clear(self, rule_id: int | None = None) -> None:
        self.rules = [rule for rule in self.rules if rule_id is not None and rule.id != rule_id]

    def strike(self, provider: str, body: bytes) -> Rule | None:
        return next((rule for rule in self.rules if rule.strikes(provider, body, self._rng)), None)

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self.rules]


def error(provider: str, kind: str, model: str = "", retry_delay: float = 1.0) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, extra headers and body with which ``provider`` refuses a request for the reason ``kind``."""
    status = STATUSES[kind]
    headers = {"retry-after": str(max(1, round(retry_delay)))} if kind == "rate_limit_header" else {}
    if kind == "key_invalid" and provider != "gemini":
        status = 401
    if provider == "gemini":
        return status, headers, _gemini(status, kind, model, retry_delay)
    if provider == "tavily":
        return status, headers, {"detail": {"error": _TAVILY.get(status, "Internal Server Error")}}
    return status, headers, {"Data": {}, "Err": {"type": 1, "message": f"{kind.replace('_', ' ')} ({status})", "other_info": {}}}


_TAVILY = {
    400: "Invalid request.",
    401: "Unauthorized: missing or invalid API key.",
    403: "Forbidden: this key may not use that feature.",
    404: "Not Found",
    429: "Your request has been blocked due to excessive requests. Please reduce rate of requests.",
    432: "This request exceeds your plan's set usage limit. Please upgrade your plan or contact support@tavily.com",
    433: "This request exceeds the pay-as-you-go limit. You can increase your limit on the Tavily dashboard.",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
QUERY_TOO_LONG = "Query is too long. Max query length is 400 characters."

_GEMINI = {
    "rate_limit": ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "rate_limit_header": ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "quota_day": ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    "server_error": ("INTERNAL", "An internal error has occurred."),
    "overloaded": ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    "unavailable": ("UNAVAILABLE", "The service is currently unavailable."),
    "outage": ("UNAVAILABLE", "The service is currently unavailable."),
    "deadline": ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    "unauthorized": ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "forbidden": ("PERMISSION_DENIED", "The caller does not have permission."),
    "key_invalid": ("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "bad_request": ("INVALID_ARGUMENT", "Request contains an invalid argument."),
}
_RPC = "type.googleapis.com/google.rpc."


def _gemini(status: int, kind: str, model: str, retry_delay: float) -> dict[str, Any]:
    if kind == "not_found":
        return {"error": {"code": 404, "message": model_not_found(model), "status": "NOT_FOUND"}}
    word, message = _GEMINI[kind]
    details: list[dict[str, Any]] = []
    if kind == "key_invalid":
        service = {"service": "generativelanguage.googleapis.com"}
        details = [{"@type": f"{_RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com", "metadata": service}]
    if status == 429:
        metric, quota = (
            ("requests", "GenerateRequestsPerDayPerProjectPerModel-FreeTier")
            if kind == "quota_day"
            else ("input_token_count", "GenerateContentInputTokensPerModelPerMinute-FreeTier")
        )
        violation = {
            "quotaMetric": f"generativelanguage.googleapis.com/generate_content_free_tier_{metric}",
            "quotaId": quota,
            "quotaDimensions": {"location": "global", "model": model},
            "quotaValue": "250" if kind == "quota_day" else "250000",
        }
        details = [{"@type": f"{_RPC}QuotaFailure", "violations": [violation]}]
        if kind != "rate_limit_header":
            details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{retry_delay:g}s"})
    return {"error": {"code": status, "message": message, "status": word, **({"details": details} if details else {})}}


def model_not_found(model: str) -> str:
    """pydantic-ai suggests a model by the beginning of this message, so it is kept as Google words it."""
    return f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
