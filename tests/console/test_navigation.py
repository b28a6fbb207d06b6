"""What the pages keep in their addresses."""

import ast
from pathlib import Path

from console.navigation import FILTERS

CHECKOUT = Path(__file__).resolve().parents[2]


def test_every_widget_that_is_bound_to_the_address_is_listed_so_that_links_can_reset_it() -> None:
    bound = set()
    for file in (*CHECKOUT.glob("console/*.py"), *CHECKOUT.glob("pages/*.py")):
        for call in (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if "bind" in given:
                key = given["key"]
                assert isinstance(key, ast.Constant), f"{file}:{call.lineno}"
                bound.add(key.value)
    assert bound == {key for keys in FILTERS.values() for key in keys}
