"""``signaldesk settings``: what is in force and where it comes from, or the reference of every setting."""

from typing import Annotated

import typer

from console.printing import print_json
from core import setting_reference
from core.configuration import Desk, in_writing, saved_names
from core.settings import load_settings, read_from


def show_settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md instead; needs no database.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """What every setting is now and where it comes from. Of secrets only whether they are set."""
    if markdown:
        typer.echo(setting_reference.as_markdown(), nl=False)
        return
    environment = load_settings()
    with Desk.open(environment) as desk, desk.database.session() as session:
        now, saved = desk.settings(session), saved_names(session)
    facts = {}
    for entry in setting_reference.entries():
        value = getattr(now, entry.name)
        shown = ("set" if value else "not set") if entry.secret else _shown(value)
        fixed = entry.name in environment.fixed_by_environment
        source = read_from(entry.name) if fixed else "screen" if entry.name in saved and entry.on_screen else "default"
        facts[entry.name] = {"value": shown, "source": source, "variable": entry.variables[0]}
    if as_json:
        print_json(facts)
        return
    width, source_width = max(map(len, facts)), max(len(fact["source"]) for fact in facts.values())
    for name, fact in facts.items():
        typer.echo(f"{name:<{width}}  {fact['source']:<{source_width}}  {fact['value']}".rstrip())


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, dict):
        return ", ".join(value)
    return in_writing(value)
