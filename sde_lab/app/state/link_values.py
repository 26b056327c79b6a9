"""Values of saved links: a link may spell a choice as an earlier version of the page did."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st


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
    if label is None or label in (written, ""):
        return
    if label_of(label) not in (None, label):  # two spellings that lead to each other: never ends
        return
    st.query_params[key] = label
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
