"""Spreadsheets: text that one of them would take for a formula is made harmless. The one home of that rule."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection)."""


def harmless(text: str) -> str:
    """The text with an apostrophe before it where it begins as a formula does."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
