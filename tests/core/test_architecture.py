"""The shape of the code: pages -> console -> core, core in the order of the walk, and nothing too long to read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE_LINES = 80
FILE_LINES = 400

ORDER = (
    # what everything stands on
    "errors",
    "clock",
    "access",
    "spreadsheets",
    "setting_checks",
    "setting_files",
    "settings",
    "setting_reference",
    "logs",
    "tracing",
    "agents.outputs",
    "agents.prompts",
    "models",
    "embedded_postgres",
    "database",
    "paging",
    "audit",
    "people",
    "sign_ins",
    "tokens",
    "pricing",
    "configuration",
    "group_commit",
    "rollups",
    "text_search",
    # import -> articles
    "articles",
    "catalogue",
    "stories",
    "offline",
    "importers",
    "feeds",
    "samples",
    "prices",
    # -> selection + estimate -> batch -> record, with the ledger beside it
    "article_filter",
    "article_rows",
    "article_cells",
    "selection",
    "article_facets",
    "article_history",
    "estimate",
    "ledger",
    "budget",
    "limits",
    "forecast",
    "spending",
    "ledger_list",
    "alerts",
    "launching",
    "causes",
    "batches",
    "batch_actions",
    "kept_answers",
    "records",
    "chunks",
    "schedule",
    "nightly",
    "scheduler",
    "supervisor",
    "backups",
    "run_history",
    "batch_figures",
    "in_work",
    # -> content analysis -> evidence check
    "figures",
    "evidence",
    "failures",
    "pace",
    "metering",
    "agents.materials",
    "agents.offline",
    "agents.gemini",
    "agents.providers",
    "agents.content_analysis",
    "agents.signal_validation",
    # -> signals -> research -> signal validation
    "queries",
    "research",
    "signal_filter",
    "signals",
    "authorities",
    "verdicts",
    "settled",
    "validations",
    "moving",
    "pipeline",
    "batch_run",
    "orchestrator",
    "broker",
    "celery_transport",
    "celery_app",
    "dispatching",
    "chunk_runs",
    "celery_worker",
    "executors",
    "remedies",
    # -> review -> export
    "reviews",
    "review_queue",
    "calibration",
    "comparisons",
    "quality",
    "windows",
    "headlines",
    "themes",
    "reports",
    "health",
    "overall",
    "exports",
)
"""The stages of ``core`` in the order of the walk in DESIGN.md. A stage imports only from stages before it; a package is one stage."""

SESSION_STATE = frozenset({"console.state"})
"""Who may touch the session's state."""


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """Such as ``core.agents.outputs``; a package's own file has the package's name."""
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in python_files("core", "console", "pages")}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file; ``from core import budget`` is ``core.budget``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module or ""


def imports_of(name: str) -> set[str]:
    return set(imports(MODULES[name]))


def package(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def stage(name: str) -> str | None:
    """The stage a module of core belongs to: the longest of ``ORDER`` that its name begins with."""
    inner = name.removeprefix("core.")
    fitting = [known for known in ORDER if inner == known or inner.startswith(f"{known}.")]
    return max(fitting, key=len, default=None)


CORE = sorted(name for name in MODULES if package(name) == "core")


def test_every_file_of_core_has_its_place_in_the_walk() -> None:
    assert [name for name in CORE if stage(name) is None and name not in ("core", "core.agents")] == []
    assert [known for known in ORDER if not any(stage(name) == known for name in CORE)] == []
    assert len(set(ORDER)) == len(ORDER)


def test_the_packages_that_only_hold_stages_hold_nothing_else() -> None:
    assert [name for name in ("core", "core.agents") if MODULES[name].read_text(encoding="utf-8").strip()] == []


@pytest.mark.parametrize("name", [name for name in CORE if stage(name)])
def test_a_stage_imports_only_from_stages_before_it(name: str) -> None:
    own = ORDER.index(stage(name) or "")
    later = [other for other in imports_of(name) if (place := stage(other)) and package(other) == "core" and ORDER.index(place) > own]
    assert later == []


def test_core_knows_nothing_of_the_screen() -> None:
    above = ("streamlit", "console", "pages", "tests", "typer", "fastapi", "plotly")
    assert {name: other for name in CORE for other in imports_of(name) if package(other) in above} == {}


def test_the_console_does_not_import_pages_or_tests() -> None:
    console = [name for name in MODULES if package(name) == "console"]
    assert {name: other for name in console for other in imports_of(name) if package(other) in ("pages", "tests")} == {}


def test_no_page_is_imported_and_no_page_imports_another() -> None:
    for path in python_files("core", "console", "pages"):
        assert "pages" not in {package(other) for other in imports(path)}, path


def test_only_state_touches_session_state_and_only_resources_the_caches() -> None:
    def files_with(*attributes: str) -> set[str]:
        return {
            name
            for name, path in MODULES.items()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and node.attr in attributes
        }

    assert files_with("session_state") <= SESSION_STATE
    assert files_with("cache_data", "cache_resource") <= {"console.resources"}


def test_no_module_of_the_console_hides_one_of_the_standard_library() -> None:
    """With ``console/`` as the script's folder, ``import queue`` would find ours."""
    import sys

    names = {name.rpartition(".")[2] for name in MODULES if package(name) == "console"}
    assert names & sys.stdlib_module_names == set()


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_pages_are_short() -> None:
    pages = python_files("pages")
    assert pages
    assert {path.name: lines(path) for path in pages if lines(path) > PAGE_LINES} == {}


def test_files_are_short_enough_to_be_read() -> None:
    long = {str(path.relative_to(CHECKOUT)): lines(path) for path in python_files("core", "console") if lines(path) > FILE_LINES}
    assert long == {}


def test_nothing_but_packages_and_project_files_stands_at_the_top() -> None:
    allowed = {"console", "core", "pages", "tests", "pyproject.toml", "requirements.txt", "README.md", "LICENSE", "docs", "render.yaml"}
    found = {
        path.name for path in CHECKOUT.iterdir() if not path.name.startswith(".") and not path.name.endswith((".egg-info", "__pycache__"))
    }
    assert found - allowed == set()


def test_core_says_what_each_file_is_for() -> None:
    silent = [name for name in CORE if lines(MODULES[name]) and not ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))]
    assert silent == []
