"""docs/api.md holds: every address of the API stands in it, and its examples are run."""

import os
import re
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from console.api import make_api
from console.api.problems import _KINDS
from core.access import Permission, local
from core.configuration import Desk
from core.orchestrator import Orchestrator
from core.settings import CHECKOUT
from core.tokens import create

PAGE = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_every_address_and_every_kind_of_problem_is_named() -> None:
    document = make_api(lambda: None).openapi()  # type: ignore[arg-type, return-value]
    addresses = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    named = set(re.findall(r"`((?:GET|POST) /[^`]+)`", PAGE))
    assert named == addresses
    kinds = {kind for _, kind, _ in _KINDS.values()} - {"import-refused", "backup-refused"}  # which nothing here does
    assert kinds <= set(re.findall(r"urn:signaldesk:([\w-]+)", PAGE))


@pytest.mark.slow
def test_the_examples_run(desk: Desk, articles: Any, serve: Any) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    articles(25, publisher="CoinDesk")
    secret = desk.transaction(lambda session: create(session, "docs", frozenset({Permission.READ}), by=local("ada")))
    orchestrator = Orchestrator(desk)
    orchestrator.start()
    try:
        client: httpx.Client = serve(desk, wake=orchestrator.wake)
        environment = os.environ | {"DESK": str(client.base_url).rstrip("/"), "TOKEN": secret, "NO_PROXY": "*"}
        answers = []
        for example in EXAMPLES:
            strict = example.replace("curl -s", "curl --fail-with-body -s")
            done = subprocess.run(["sh", "-e", "-c", strict], env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, example + done.stdout + done.stderr
            assert done.stdout, example
            answers.append(done.stdout)
    finally:
        orchestrator.stop()
    assert len(answers) >= 8
    events = next(answer for answer in answers if "event: progress" in answer)
    assert "event: end" in events
    assert '"completed":20' in events
