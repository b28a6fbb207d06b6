"""The agents' instructions, one file each, with a version that is stored with every result made from it."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent


class Prompt(NamedTuple):
    version: str
    text: str


@cache
def prompt(name: str) -> Prompt:
    """The instructions called ``name``: the file's first line says ``version: N``, the rest is the text."""
    head, _, text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    return Prompt(version=head.removeprefix("version:").strip(), text=text.strip())


def prompt_version(name: str) -> str:
    """Such as ``content_analysis-1``."""
    return f"{name}-{prompt(name).version}"
