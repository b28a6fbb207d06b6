"""Who may do what: the fence stands in core, before anything is read or written."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import core
from core.access import ITSELF, Actor, Permission, Role, local
from core.errors import NotAllowed
from core.review_queue import Claimant
from tests.actors import NOBODY

REVIEW, RUN, ARTICLES, MONEY, SETTINGS, ACCESS, READ = (
    Permission.REVIEW,
    Permission.RUN,
    Permission.ARTICLES,
    Permission.MONEY,
    Permission.SETTINGS,
    Permission.ACCESS,
    Permission.READ,
)
NEEDS = {
    "articles.delete_articles": {ARTICLES},
    "articles.set_active": {ARTICLES},
    "articles.set_priorities": {SETTINGS},
    "articles.set_priority": {SETTINGS},
    "authorities.replace_authorities": {SETTINGS},
    "backups.back_up": {ACCESS},
    "backups.restore": {ACCESS},
    "batch_actions.cancel": {RUN},
    "batch_actions.pause": {RUN},
    "batch_actions.pause_now": {RUN},
    "batch_actions.requeue": {RUN},
    "batch_actions.resume": {RUN},
    "batch_actions.retry_failed": {RUN},
    "batch_actions.retry_research": {RUN},
    "batch_actions.take_out": {RUN},
    "batch_actions.top_up_and_resume": {MONEY, RUN},
    "configuration.put_back": {SETTINGS},
    "configuration.reset_setting": {SETTINGS},
    "configuration.save_setting": {SETTINGS},
    "configuration.save_settings": {SETTINGS},
    "exports.files.bundle": {READ},
    "exports.files.write": {READ},
    "exports.files.write_to": {READ},
    "feeds.add_feed": {SETTINGS},
    "feeds.fetch_all": {ARTICLES},
    "feeds.import_feed": {ARTICLES},
    "feeds.remove_feed": {SETTINGS},
    "feeds.switch_feed": {SETTINGS},
    "importers.import_articles.import_articles": {ARTICLES},
    "launching.launch": {RUN},
    "limits.change_limit": {MONEY},
    "limits.top_up": {MONEY},
    "limits.undo": {MONEY},
    "moving.move.move": {ARTICLES},
    "nightly.save_nightly": {MONEY, SETTINGS},
    "people.remove": {ACCESS},
    "people.set_role": {ACCESS},
    "prices.import_prices": {ARTICLES},
    "records.cancel_one": {RUN},
    "remedies.raise_ceiling_and_retry": {SETTINGS, RUN},
    "remedies.run_with_more_output": {RUN},
    "review_queue.hand_over": {REVIEW},
    "review_queue.hold": {REVIEW},
    "review_queue.take_back": {REVIEW},
    "review_queue.take_next": {REVIEW},
    "review_queue.with_others": {READ},
    "reviews.annotate": {REVIEW},
    "reviews.correct": {REVIEW},
    "reviews.decide": {REVIEW},
    "reviews.decide_all": {REVIEW},
    "reviews.undo": {REVIEW},
    "reviews.undo_all": {REVIEW},
    "samples.load_samples": {ARTICLES},
    "schedule.run_now": {SETTINGS},
    "schedule.save_options": {SETTINGS},
    "schedule.switch": {SETTINGS},
    "tokens.create": {ACCESS},
    "tokens.revoke": {ACCESS},
}
"""What each function of core that somebody calls needs, before it looks at anything that it was given."""


class Untouchable:
    """Stands for every argument: whatever is done with it before the refusal is a failure."""

    def _touched(self, *_: object, **__: object) -> Any:
        pytest.fail("an argument was used before the actor was asked for the permission")

    __getattr__ = __getitem__ = __iter__ = __bool__ = __len__ = __contains__ = __call__ = __eq__ = __lt__ = __add__ = _touched
    __hash__ = _touched  # type: ignore[assignment]
    __str__ = __repr__ = __format__ = _touched  # type: ignore[assignment]


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of core, and every public method of its public classes, by name."""
    for found in pkgutil.walk_packages(core.__path__, "core."):
        if ".migrations" in found.name:
            continue
        module = importlib.import_module(found.name)
        inside = [(name, member) for name, member in vars(module).items() if getattr(member, "__module__", "") == module.__name__]
        for name, member in inside:
            if inspect.isclass(member):
                inside += [(f"{name}.{inner}", getattr(member, inner)) for inner in vars(member) if callable(getattr(member, inner, None))]
            if inspect.isfunction(member) and not any(part.startswith("_") for part in name.split(".")):
                yield f"{found.name.removeprefix('core.')}.{name}", member


def said_by(function: Callable[..., Any]) -> str | None:
    """The parameter that says who acts."""
    taken = inspect.signature(function).parameters.values()
    return next((one.name for one in taken if one.name == "by" or one.annotation in (Actor, Claimant)), None)


ONLY_RECORDS = {"audit.record"}
"""Called by the others, once they have asked."""
ACTING = {name: function for name, function in functions() if said_by(function) and name not in ONLY_RECORDS}


def call(function: Callable[..., Any], actor: Actor) -> object:
    parameters = inspect.signature(function).parameters
    given: dict[str, Any] = {
        name: Untouchable() for name, one in parameters.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    if "by" in parameters:
        given["by"] = actor
    else:
        given[said_by(function) or ""] = Claimant("session", actor, Untouchable())  # type: ignore[arg-type]
    return function(**given)


def test_every_function_that_somebody_calls_says_what_it_needs() -> None:
    assert sorted(ACTING) == sorted(NEEDS)


@pytest.mark.parametrize("name", sorted(ACTING))
def test_who_acts_is_an_actor(name: str) -> None:
    function = ACTING[name]
    if "by" in inspect.signature(function).parameters:
        assert function.__annotations__["by"] is Actor


@pytest.mark.parametrize("name", sorted(ACTING))
def test_nobody_without_permission_comes_to_read_or_write_anything(name: str) -> None:
    with pytest.raises(NotAllowed):
        call(ACTING[name], NOBODY)


@pytest.mark.parametrize(("name", "needed"), [(name, one) for name, needs in sorted(NEEDS.items()) for one in sorted(needs)])
def test_all_other_permissions_are_not_enough(name: str, needed: Permission) -> None:
    others = Actor("somebody", frozenset(Permission) - {needed})
    with pytest.raises(NotAllowed, match=f"somebody may not do this: it needs the permission '{needed.value}'"):
        call(ACTING[name], others)


def test_roles_hold_one_another() -> None:
    assert Role.VIEWER.permissions < Role.ANALYST.permissions < Role.ADMIN.permissions == frozenset(Permission)
    assert not Role.ANALYST.permissions & {MONEY, SETTINGS, ACCESS}
    assert local("ann").permissions == frozenset(Permission)


def test_the_desk_of_itself_changes_no_money_and_no_setting() -> None:
    assert ITSELF.permissions == {READ, RUN, ARTICLES}
