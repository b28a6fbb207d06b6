"""What the console's process loads: the agents' libraries come with the first run, not with the first page."""

import subprocess
import sys

PAGES_AND_SERVER = """
import sys
import console.cli, console.server
from console import article_view, budget_view, overview_view, quality_view, review_view, runs_view, signals_view, system_view
print(sorted({name.partition(".")[0] for name in sys.modules} & {"pydantic_ai", "tavily", "aiohttp", "celery"}), "google.genai" in sys.modules)
"""


def test_a_console_that_runs_nothing_loads_no_agents() -> None:
    loaded = subprocess.run([sys.executable, "-c", PAGES_AND_SERVER], capture_output=True, text=True, check=True, timeout=120)
    assert loaded.stdout.strip() == "[] False"
