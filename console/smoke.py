"""``signaldesk smoke URL``: checks a deployment from outside, through its HTTP API alone.

Health, what is ready, articles, a batch of one article by the offline rules and the archive (free whatever the deployment's model
is, with a limit of $0 as its fence), and whether the ledger says what the batch says. Leaves one analysed article behind.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from console.printing import print_json
from core.errors import SettingsError
from core.logs import Blot

FAILED = 1
POLL_SECONDS = 0.5
CALL_SECONDS = 20.0
OFFLINE = {"model": "offline", "research": "archive", "concurrency": 1, "budget_usd": "0"}
OTHERWISE = OFFLINE | {"minimum_confidence": 1.0}
"""Another configuration, under which what the rules have analysed may be analysed once more: researches next to nothing."""
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "PAUSED")


class Wrong(Exception):
    """A check that fails, in words for whoever runs the deployment."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check. ``ok`` is None where it was not tried, since one before it failed."""

    name: str
    ok: bool | None
    seconds: float
    detail: str


@dataclass(slots=True)
class Smoke:
    """The checks of one deployment, in their order."""

    client: httpx.Client
    patience: float
    """Seconds that the batch may take."""
    told: Callable[[Step], None]
    wait: float = 0.0
    """Seconds that the deployment may take to answer and be ready, as it is being started."""
    steps: list[Step] = field(default_factory=list)
    batch: dict[str, Any] | None = None

    def run(self) -> bool:
        """Make every check; True if all hold. Each is told as it ends."""
        began_at = time.monotonic()
        for name, check in self._checks():
            if name in ("batch", "ledger") and any(not step.ok for step in self.steps):
                self._note(Step(name, None, 0.0, "not tried"))
                continue
            began = time.monotonic()
            detail, ok = _tried(check)
            while not ok and name in ("health", "ready") and time.monotonic() - began_at < self.wait:
                time.sleep(POLL_SECONDS)
                detail, ok = _tried(check)
            self._note(Step(name, ok, round(time.monotonic() - began, 3), detail))
        return all(step.ok for step in self.steps)

    def _checks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "health", self.health
        yield "ready", self.ready
        yield "articles", self.articles
        yield "batch", self.one_article
        yield "ledger", self.ledger

    def _note(self, step: Step) -> None:
        self.steps.append(step)
        self.told(step)

    # --- the checks --------------------------------------------------------------------------------------------------

    def health(self) -> str:
        """The process lives and its database answers."""
        found = self._get("/health")
        return f"{found['status']}, {found['articles']:,} articles"

    def ready(self) -> str:
        """It takes what is written, its schema is current, and a worker lives."""
        return ", ".join(f"{check['name']}: {check['detail']}" for check in self._get("/health/ready")["checks"])

    def articles(self) -> str:
        """There is something to analyse, and the token may see it."""
        found = self._get("/api/articles/analysis-ready", limit=1)
        ready = found["total"]["value"]
        if not found["items"] and not self._get("/api/articles", limit=1)["items"]:
            raise Wrong("there is no article; import some")
        return f"{'' if found['total']['exact'] else 'more than '}{ready:,} ready for analysis"

    def one_article(self) -> str:
        """One article goes all the way, by rules that cost nothing."""
        launched = self._launch(OFFLINE) or self._launch(OTHERWISE)
        if launched is None:
            raise Wrong("no article is long enough to be analysed; import some")
        number, deadline = launched["id"], time.monotonic() + self.patience
        while (batch := self._get(f"/api/batches/{number}"))["status"] not in ENDED:
            if time.monotonic() > deadline:
                self._request("POST", f"/api/batches/{number}/cancel")
                raise Wrong(f"batch {number} did not end within {self.patience:g} s and was cancelled: does a worker run?")
            time.sleep(POLL_SECONDS)
        self.batch = batch
        if batch["status"] != "COMPLETED" or batch["records"]["completed"] != 1:
            why = f" ({batch['pause_reason']})" if batch["pause_reason"] else ""
            raise Wrong(f"batch {number} is {batch['status']}{why}, {batch['records']['failed']} failed")
        if (batch["model"], batch["research"]) != ("offline", "archive"):
            raise Wrong(f"batch {number} ran with {batch['model']} and {batch['research']}, not offline")
        return f"batch {number} completed in {batch['timing']['elapsed_seconds']:.1f} s"

    def ledger(self) -> str:
        """The ledger, which is added up apart from it, says what the batch says."""
        assert self.batch is not None  # else this check is not tried
        number, since = self.batch["id"], (datetime.now(UTC) - timedelta(days=1)).date()  # it may have begun before midnight
        costs = self._get("/api/costs", by="batch", since=since.isoformat())
        return compare(self.batch, costs, number)

    # --- asking ------------------------------------------------------------------------------------------------------

    def _launch(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        """A batch of one article; None if there is no article for it."""
        body = {"filter": {"ready": True, "limit": 1}, "options": options}
        answer = self.client.post("/api/batches", json=body, headers={"Idempotency-Key": f"smoke-{uuid.uuid4()}"})
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and answer.json().get("type") == "urn:signaldesk:nothing-selected":
            return None
        return self._content(answer)

    def _get(self, address: str, **parameters: Any) -> Any:
        return self._request("GET", address, params=parameters)

    def _request(self, method: str, address: str, **given: Any) -> Any:
        return self._content(self.client.request(method, address, **given))

    def _content(self, answer: httpx.Response) -> Any:
        if answer.is_redirect:
            raise Wrong(f"it answers at another address: {answer.headers['location']}")
        try:
            content = answer.json()
        except ValueError:
            raise Wrong(f"HTTP {answer.status_code}, and no JSON: is this a Signal Desk?") from None
        if answer.is_success:
            return content
        said = content.get("detail") if isinstance(content, dict) else None
        raise Wrong(f"HTTP {answer.status_code}: {said or answer.reason_phrase}")


def _tried(check: Callable[[], str]) -> tuple[str, bool]:
    """What a check found, in words, and whether it holds."""
    try:
        return check(), True
    except Wrong as wrong:
        return str(wrong), False
    except httpx.TimeoutException:
        return f"no answer within {CALL_SECONDS:g} s", False
    except httpx.HTTPError as error:
        return f"no connection: {error}", False


def compare(batch: Mapping[str, Any], costs: Mapping[str, Any], number: int) -> str:
    """Whether the ledger and a batch agree, in words. Pure.

    Raises:
        Wrong: they do not, or something was paid.
    """
    spent, calls = Decimal(batch["costs"]["spent_usd"]), batch["quality"]["calls"]
    if spent:
        raise Wrong(f"batch {number} was to cost nothing and spent ${spent}")
    group = next((group for group in costs["groups"] if group["key"] == str(number)), None)
    if group is None:
        if costs["cut_off"]:
            return f"$0.00, not listed among the {len(costs['groups'])} dearest batches"
        raise Wrong(f"batch {number} made {calls} calls, and the ledger has none of it")
    if Decimal(group["usd"]) != spent or Decimal(group["reserved_usd"]):
        raise Wrong(f"the ledger says ${group['usd']} (${group['reserved_usd']} reserved), batch {number} ${spent}")
    if group["calls"] != calls:
        raise Wrong(f"the ledger has {group['calls']} calls of batch {number}, which counts {calls}")
    return f"$0.00 and {calls} {'call' if calls == 1 else 'calls'} in both"


def smoke(
    url: Annotated[str, typer.Argument(help="Where the deployment is, such as https://desk.example.")],
    token: Annotated[
        str | None,
        typer.Option(envvar="SIGNALDESK_API_TOKEN", show_default=False, help="API token with the scopes read and run. Better by variable."),
    ] = None,
    patience: Annotated[float, typer.Option("--patience", min=1, max=3_600, help="Seconds that the batch may take.")] = 120.0,
    wait: Annotated[float, typer.Option("--wait", min=0, max=3_600, help="Seconds that it may take to answer and be ready.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Check a deployment from outside: health, readiness, articles, a free batch of one article, the ledger. Exits with 0 or 1."""
    require_address(url)
    blot = Blot([token] if token else [])
    began = time.monotonic()
    with _client(url, token) as client:
        checks = Smoke(client, patience, told=lambda step: None if as_json else typer.echo(blot(in_words(step))), wait=wait)
        ok = checks.run()
    took = round(time.monotonic() - began, 3)
    if as_json:
        steps = [asdict(step) | {"detail": blot(step.detail)} for step in checks.steps]
        print_json({"url": url, "ok": ok, "seconds": took, "batch": checks.batch and checks.batch["id"], "steps": steps})
    else:
        passed = sum(step.ok is True for step in checks.steps)
        typer.echo(f"{'PASSED' if ok else 'FAILED'}  {passed} of {len(checks.steps)} checks in {took:.1f} s")
    raise typer.Exit(0 if ok else FAILED)


def in_words(step: Step) -> str:
    verdict = {True: "ok", False: "FAILED", None: "-"}[step.ok]
    return f"{verdict:<6}  {step.name:<8}  {step.seconds:6.2f} s  {' '.join(step.detail.split())}"


def require_address(url: str) -> None:
    """Refuse what is no address of a deployment.

    Raises:
        SettingsError: it is none, or holds a path or a password.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and not parts.path.strip("/") and not parts.query and not parts.username
        httpx.URL(url).raw_host.decode().encode("idna")  # no name that is asked for has parts of more than 63 characters
    except (ValueError, httpx.InvalidURL):  # a UnicodeError is a ValueError
        fits = False
    if not fits:
        raise SettingsError("URL must be the scheme and host of a deployment, such as https://desk.example.")


@contextmanager
def _client(url: str, token: str | None) -> Iterator[httpx.Client]:
    # Redirects are not followed: the token is for this address alone.
    headers = {"User-Agent": "signaldesk-smoke"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=CALL_SECONDS, follow_redirects=False) as client:
        yield client
