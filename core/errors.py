"""Refusals that a person can act on.

Every expected failure of the desk is a ``DeskError`` whose message says what happened and what to try.
A boundary (page, API, command line) turns it into its own form; nothing swallows one on the way.
``exit_code`` is what the command line answers with.
"""


class DeskError(Exception):
    """Base of every refusal."""

    exit_code = 1


class SettingsError(DeskError):
    """A setting is malformed, missing, or contradicts another."""

    exit_code = 2


class DatabaseUnavailable(DeskError):
    """The database cannot be reached, started or written to."""

    exit_code = 3


class ImportRefused(DeskError):
    """A whole source (file, feed, address) cannot be imported."""

    exit_code = 4


class NothingSelected(DeskError):
    """A launch or an export was asked for with no article or row in it."""

    exit_code = 5


class BudgetExceeded(DeskError):
    """A launch or a call would pass a budget."""

    exit_code = 6


class NotFound(DeskError):
    """The thing asked for does not exist (any more)."""

    exit_code = 7


class NotPossible(DeskError):
    """An action cannot be done in the state things are in."""

    exit_code = 8


class BackupRefused(DeskError):
    """A backup cannot be written, or a file cannot be restored."""

    exit_code = 9


class NotAllowed(DeskError):
    """Who acts has not the permission that the action needs."""

    exit_code = 13


class BrokerUnavailable(DeskError):
    """Redis, which carries tasks to the workers, cannot be reached."""

    exit_code = 14
