"""Live pieces of a page: drawn again every so many seconds, until there is nothing more to wait for."""

from collections.abc import Callable

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState


def live(draw: Callable[[], bool], seconds: float) -> None:
    """Draw a piece of the page, and again every ``seconds`` for as long as ``draw`` returns that it goes on.

    Only this piece: what stands around it, and what is typed there, is not touched.
    """

    @st.fragment(run_every=seconds)
    def piece() -> None:
        if not draw():
            _stop()

    piece()


def _stop() -> None:
    """Have the browser ask for the fragment that runs now no more.

    By the message that Streamlit sends for a fragment that is gone. A rerun of the page would do it too, but swallow a click made at
    that moment.
    """
    context = get_script_run_ctx()
    fragment_id = ThreadState.get().fragment_id
    if context is not None and fragment_id is not None:
        message = ForwardMsg()
        message.stop_auto_rerun.fragment_ids.append(fragment_id)
        context.enqueue(message)
