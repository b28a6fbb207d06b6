"""A browser session without its browser: what the server runs when a page is opened, and when one of its widgets is changed.

It is Streamlit's own ``AppTest``, with two things as the server has them: where the widget that was changed stands in a fragment, that
fragment runs and not the page; and compiled scripts are kept from one run to the next. What is measured is the run of the script alone
and the writing of what it sends, without the mocks that AppTest makes for each run and without its reading of the result.
"""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest.mock import patch

from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_cache
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

WIDGETS = ("text_input", "multiselect", "toggle", "selectbox", "slider", "button_group", "date_input", "checkbox", "button")


@dataclass(slots=True)
class Run:
    """What one run took, in milliseconds: on the clock, and of its thread's processor time, which a busy machine does not stretch."""

    wall: float
    cpu: float
    bytes: int
    """Sent to the browser."""
    of_fragment: bool


@dataclass
class Visit:
    """One browser session."""

    app: AppTest
    scripts: script_cache.ScriptCache = field(default_factory=script_cache.ScriptCache)
    """Compiled pages, of all sessions of a server."""
    pages: PagesManager | None = None
    """The pages of the app, which a fragment links to without naming them anew."""
    messages: list[Any] = field(default_factory=list)
    """What the browser was sent and still shows."""
    changed: str = ""
    """Id of the widget that was changed since the last run."""
    last: Run | None = None

    def run(self) -> Run:
        """Run what the server would: the page, or the fragment that the changed widget stands in.

        Raises:
            AssertionError: the page failed, or shows that something went wrong.
        """
        with (
            patch.object(app_test, "LocalScriptRunner", partial(_Runner, visit=self)),
            patch.object(app_test, "ScriptCache", lambda: self.scripts),
            patch.object(app_test, "PagesManager", partial(self._pages)),
        ):
            self.app.run()
        self.changed = ""
        assert not self.app.exception, self.app.exception[0].value
        assert not [one for one in self.app.error if "went wrong" in one.value], self.app.error[0].value
        assert self.last is not None
        return self.last

    def _pages(self, *args: Any, **options: Any) -> PagesManager:
        self.pages = self.pages or PagesManager(*args, **options)
        return self.pages

    def choose(self, key: str, value: Any) -> None:
        """Set a widget, as a person would; True clicks a button.

        Raises:
            LookupError: the page has no such widget.
        """
        for kind in WIDGETS:
            for widget in self.app.get(kind):
                if getattr(widget, "key", None) == key:
                    widget.set_value(value)  # type: ignore[attr-defined]
                    self.changed = widget.proto.id  # type: ignore[attr-defined]
                    return
        raise LookupError(f"no widget {key!r}")

    def fragment_of(self, widget_id: str) -> str:
        """The innermost fragment that a widget stands in; empty for none."""
        for message in self.messages:
            if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                if getattr(getattr(element, element.WhichOneof("type")), "id", "") == widget_id:
                    return str(message.delta.fragment_id)
        return ""


class _Runner(LocalScriptRunner):
    def __init__(self, *args: Any, visit: Visit, **options: Any) -> None:
        super().__init__(*args, **options)
        self._visit = visit
        for message in visit.messages:  # a run takes away what it draws anew
            self.forward_msg_queue.enqueue(message)

    def request_rerun(self, rerun_data: RerunData) -> bool:
        visit = self._visit
        if visit.changed and (fragment := visit.fragment_of(visit.changed)):
            self._requests = ScriptRequests()  # in place of the whole page that a new runner begins with
            rerun_data = replace(rerun_data, fragment_id=fragment)
        return super().request_rerun(rerun_data)

    def _run_script(self, rerun_data: RerunData) -> None:
        before = {id(message) for message in self.forward_msgs()}
        began, worked = time.perf_counter(), time.thread_time()
        super()._run_script(rerun_data)
        sent = sum(len(message.SerializeToString()) for message in self.forward_msgs() if id(message) not in before)
        wall, cpu = (time.perf_counter() - began) * 1000, (time.thread_time() - worked) * 1000
        self._visit.last = Run(wall, cpu, sent, bool(rerun_data.fragment_id_queue))
        self._visit.messages = list(self.forward_msgs())


def visit(script: str, scripts: script_cache.ScriptCache, *, page: str = "", address: dict[str, str] | None = None) -> Visit:
    """A new session of the app whose script is named, about to open ``page`` (a file beside the script), with ``address`` in its query."""
    app = AppTest.from_file(script, default_timeout=120)
    for name, value in (address or {}).items():
        app.query_params[name] = value
    if page:
        app.switch_page(page)
    return Visit(app, scripts)
