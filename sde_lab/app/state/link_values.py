"""Values of links: other spellings of a choice, and what of a link nobody has understood."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

_UNREAD = "link.unread"
"""Session key of the query parameters of the first run, name → text, less those understood."""


def remember_link() -> None:
    """Keep what the link says as a session begins: Streamlit drops from it what fits no widget."""
    if _UNREAD not in st.session_state:
        st.session_state[_UNREAD] = st.query_params.to_dict()


def said_alone(name: str, besides: Collection[str]) -> str | None:
    """Return what the link of a new session says under this name, if it says nothing else.

    Args:
        name: of the query parameter.
        besides: names that do not count.
    """
    unread: dict[str, str] = st.session_state.get(_UNREAD, {})
    return unread.get(name) if {name} == unread.keys() - set(besides) else None


def take_unread() -> dict[str, str]:
    """Return what no widget of the first run that was drawn whole has taken; then nothing.

    Returns:
        Name → text of the query parameters that are neither what their widget shows nor were
        rewritten by :func:`accept_spellings`, whether there is a widget of that name or not.
    """
    unread: dict[str, str] = st.session_state[_UNREAD]
    st.session_state[_UNREAD] = {}
    values = st.session_state.to_dict() if unread else {}  # a name of a link may be no valid key
    return {
        name: text
        for name, text in unread.items()
        if name not in values
        or not (st.query_params.get(name) == text or _says(text, values[name]))
    }


def _says(text: str, value: Any) -> bool:
    """Tell whether the text is how a link says the value; Streamlit drops what is the default."""
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        return number(text) == float(value)
    return text == str(value)


def accept_spellings(key: str, label_of: Callable[[str], str | None]) -> None:
    """Let a link choose an option of the widget by another spelling than its label.

    Streamlit writes the label of an option into the link, not the option, and drops any other
    text: each label that is renamed would break the links saved before. So this is to be called
    before the widget is drawn. It rewrites the link and runs the script again, since a widget is
    set from the link only as the link was when a run began, and once the widget is drawn its query
    parameter can no longer be written.

    Args:
        key: of the widget, which is the name of its query parameter too.
        label_of: text of a link → label of the option that is meant; None where there is none.
    """
    if key in st.session_state:
        return
    written = st.query_params.get(key)
    label = None if written is None else label_of(written)
    if label:
        st.session_state.get(_UNREAD, {}).pop(key, None)
    if label is None or label in (written, ""):
        return
    if label_of(label) not in (None, label):  # two spellings that lead to each other: never ends
        return
    st.query_params[key] = label
    st.rerun()


def accept_plain_name(key: str, name: str) -> None:
    """Let the link of a new session name a widget by a shorter name than its key.

    Args:
        key: of the widget.
        name: such as ``kappa`` for ``ornstein_uhlenbeck.kappa``.
    """
    unread: dict[str, str] = st.session_state.get(_UNREAD, {})
    if name == key or name not in unread or key in unread:
        return
    unread[key] = unread.pop(name)
    st.query_params.pop(name, None)
    st.query_params[key] = unread[key]
    st.rerun()


def spellings(old: Mapping[str, str], labels: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return a reader of labels, of plain names, and of the labels of earlier versions.

    Args:
        old: earlier label → plain name.
        labels: plain name → label.
    """

    def label_of(written: str) -> str | None:
        if written in labels.values():
            return written
        return labels.get(old.get(written, written))

    return label_of


def number_spellings(
    values: Collection[float], label_of: Callable[[Any], str]
) -> Callable[[str], str | None]:
    """Return a reader of numbers for a list of numbers whose labels are written another way.

    Args:
        values: the options, such as 20000.
        label_of: option → its label, such as ``20\u202f000``.
    """

    def read(written: str) -> str | None:
        meant = number(written)
        return next((label_of(value) for value in values if value == meant), None)

    return read


def number(text: str) -> float:
    """Return the number that a text says, spaces between digits allowed; NaN where it is none."""
    try:
        return float("".join(text.split()))
    except ValueError:
        return math.nan
