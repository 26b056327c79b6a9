"""Runs of the script take turns; one that a newer request ends keeps its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import streamlit as st
from streamlit.testing.v1 import AppTest

from sde_lab.app.state.current_scenario import LAST_SUMMARY
from sde_lab.server.fair_queue import _script_queue
from tests.support.app_pages import opened, shown


def _script() -> None:
    import streamlit as st

    from sde_lab.app.state.script_turn import script_turn

    with script_turn():
        st.session_state.setdefault("places", []).append(st.session_state.script_request.since)
        if len(st.session_state.places) < 3:
            st.rerun()


def test_a_run_that_a_newer_one_replaces_keeps_its_place_until_all_is_drawn() -> None:
    app = AppTest.from_function(_script).run()
    first = app.session_state.places
    assert len(first) == 3
    assert first[0] is not None
    assert len(set(first)) == 1
    assert app.session_state.script_request.since is None
    assert not _script_queue()._serving
    app.run()
    assert app.session_state.places[3] > first[0]


def test_the_application_draws_within_its_slot() -> None:
    """Nothing before the slot is there, everything until it is given back."""
    drawn = []

    @contextmanager
    def slot(since: float) -> Iterator[None]:
        drawn.append(LAST_SUMMARY in st.session_state)
        yield
        drawn.append(LAST_SUMMARY in st.session_state)

    with mock.patch("sde_lab.app.state.script_turn.script_slot", slot):
        app = opened(samples=20, steps=25)
    assert shown(app).scenario.samples == 20
    assert drawn == [False, True]
