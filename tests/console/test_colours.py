"""Colours by the numbers: contrast (WCAG 2.2) in both themes, and apart for every reader's eyes."""

import tomllib
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from console.colours import BADGES, KIND_COLOURS, KIND_ICONS, KIND_NAMES, LIMIT, RECORDS, SERIES, look
from core.agents.outputs import SignalKind
from core.models import BatchStatus, RecordStatus
from core.settings import CHECKOUT

CONFIG: dict[str, Any] = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
THEMES = ("light", "dark")
NAMES = ("red", "orange", "yellow", "blue", "green", "violet", "gray")
SIGHT = {  # Machado, Oliveira and Fernandes 2009, severity 1.0, linear RGB
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> Any:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(colour) @ TO_XYZ[1]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, sight: Any) -> Any:
    x, y, z = (TO_XYZ @ np.clip(sight @ linear(colour), 0, 1)) / np.array([0.9505, 1.0, 1.089])
    fx, fy, fz = (np.cbrt(value) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", NAMES)
def test_coloured_text_and_badges_are_readable(theme: str, name: str) -> None:
    colours = CONFIG[theme]
    for background in ("backgroundColor", "secondaryBackgroundColor", f"{name}BackgroundColor"):
        assert contrast(colours[f"{name}TextColor"], colours[background]) >= 4.5, background


@pytest.mark.parametrize("theme", THEMES)
def test_text_links_and_primary_buttons_are_readable(theme: str) -> None:
    colours = CONFIG[theme]
    for background in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(colours["textColor"], colours[background]) >= 7
        assert contrast(colours["linkColor"], colours[background]) >= 4.5
        assert contrast(colours["primaryColor"], colours[background]) >= 4.5
    on_buttons = {"light": "#ffffff", "dark": colours["backgroundColor"]}  # console.components.STYLE
    assert contrast(on_buttons[theme], colours["primaryColor"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colour", [*KIND_COLOURS.values(), *SERIES, LIMIT])
def test_charts_stand_out_from_the_page(theme: str, colour: str) -> None:
    assert contrast(colour, CONFIG[theme]["backgroundColor"]) >= 3


@pytest.mark.parametrize("sight", SIGHT)
def test_kinds_of_signals_are_told_apart_by_every_reader(sight: str) -> None:
    seen = {kind: lab(colour, SIGHT[sight]) for kind, colour in KIND_COLOURS.items()}
    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}
    assert min(distances.values()) >= 24, distances


def test_the_theme_has_the_series_of_the_table() -> None:
    assert CONFIG["chartCategoricalColors"] == list(SERIES)


def test_every_kind_and_status_has_a_name_a_colour_and_an_icon() -> None:
    assert set(KIND_COLOURS) == set(KIND_NAMES) == set(KIND_ICONS) == set(SignalKind)
    assert set(RECORDS) == set(RecordStatus)
    for name, colour, icon in [*BADGES.values(), *RECORDS.values()]:
        assert name
        assert colour in NAMES
        assert icon.startswith(":material/")


def test_a_records_state_is_not_that_of_a_batch_with_the_same_value() -> None:
    assert BatchStatus.COMPLETED.value == RecordStatus.COMPLETED
    assert (look(RecordStatus.COMPLETED)[0], look(BatchStatus.COMPLETED)[0]) == ("done", "completed")
