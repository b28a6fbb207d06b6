"""``signaldesk access`` and ``signaldesk token``: roles and API tokens from the command line, as who runs it."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from console.printing import notes, print_json
from console.words import ago, exact
from core import people, tokens
from core.access import Permission, Role, local
from core.clock import utc_now
from core.configuration import Desk
from core.errors import NotFound
from core.tokens import TokenRow

access = typer.Typer(no_args_is_help=True, help="Who may do what: roles by e-mail address.")
token = typer.Typer(no_args_is_help=True, help="API tokens: what programs show to be let in.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Email = Annotated[str, typer.Argument(help="E-mail address that somebody signs in with.")]


# --- roles -----------------------------------------------------------------------------------------------------------


@access.command("list")
def list_people(as_json: Json = False) -> None:
    """Everybody with a role."""
    with Desk.open() as desk:
        found = desk.transaction(lambda session: people.people(session, desk.environment))
    if as_json:
        print_json(
            {"people": [{"email": one.email, "role": one.role, "given_by": one.given_by, "given_at": one.given_at} for one in found]}
        )
        return
    _table([(one.email, one.role.value, f"by {one.given_by}", exact(one.given_at)) for one in found], "Nobody has a role.")


@access.command()
def grant(email: Email, role: Annotated[Role, typer.Argument(help="What they may do.")]) -> None:
    """Give somebody a role, or another one."""
    with Desk.open() as desk:
        by, environment = local(desk.environment.user), desk.environment
        desk.transaction(lambda session: people.set_role(session, email, role, by=by, settings=environment))
    typer.echo(f"{people.normalised(email)} is {role.value}.")


@access.command("revoke")
def revoke_role(email: Email) -> None:
    """Take somebody's role: they see nothing of the desk from then on."""
    with Desk.open() as desk:
        by, environment = local(desk.environment.user), desk.environment
        desk.transaction(lambda session: people.remove(session, email, by=by, settings=environment))
    typer.echo(f"{people.normalised(email)} has no role any more.")


# --- tokens ----------------------------------------------------------------------------------------------------------


@token.command()
def create(
    name: Annotated[str, typer.Argument(help="What uses it, such as dashboard.")],
    scope: Annotated[list[Permission] | None, typer.Option("--scope", help="What it may do; may be given several times.")] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3_650, help="How long it holds; without it, until it is revoked.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print its secret, which is not shown again. Without --scope it may read."""
    scopes = frozenset(scope or [Permission.READ])
    end = utc_now() + timedelta(days=days) if days else None
    with Desk.open() as desk:
        by = local(desk.environment.user)
        secret = desk.transaction(lambda session: tokens.create(session, name, scopes, by=by, expires_at=end))
    if as_json:
        print_json({"name": name, "scopes": sorted(scopes), "expires_at": end, "secret": secret})
        return
    notes.print(f"The token {name} may {', '.join(one.value for one in Permission if one in scopes)}. Its secret is not shown again:")
    typer.echo(secret)


@token.command("list")
def list_tokens(as_json: Json = False) -> None:
    """The tokens, those in force first. No secret is kept, so none is shown."""
    with Desk.open() as desk:
        found = desk.transaction(tokens.listed)
    if as_json:
        print_json({"tokens": [{name: getattr(one, name) for name in TokenRow.__dataclass_fields__} for one in found]})
        return
    now = utc_now()
    _table([_line(one, now) for one in found], "There is no token.")


@token.command()
def revoke(name: Annotated[str, typer.Argument(help="The token's name, or its number in 'token list'.")]) -> None:
    """Let nobody in with a token any more."""
    with Desk.open() as desk:
        by = local(desk.environment.user)
        found = desk.transaction(tokens.listed)
        wanted = [one.id for one in found if one.revoked_at is None and one.name == name] or [
            one.id for one in found if str(one.id) == name
        ]
        if not wanted:
            raise NotFound(f"There is no token '{name}'.")
        revoked = desk.transaction(lambda session: tokens.revoke(session, wanted[0], by=by))
    typer.echo(f"{revoked} is revoked.")


def _line(one: TokenRow, now: datetime) -> tuple[str, ...]:
    if one.revoked_at is not None:
        end = f"revoked {exact(one.revoked_at)}"
    elif one.expires_at is not None:
        end = f"{'ends' if one.expires_at > now else 'expired'} {exact(one.expires_at)}"
    else:
        end = "no end"
    return str(one.id), one.name, f"{one.prefix}…", ",".join(one.scopes), f"used {ago(one.last_used_at, now)}", end, f"by {one.created_by}"


def _table(rows: list[tuple[str, ...]], nothing: str) -> None:
    if not rows:
        notes.print(nothing)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
