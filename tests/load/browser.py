"""One browser tab without a window: the websocket protocol of Streamlit, without its pictures.

As the real one it keeps a value for every widget on the page, sends all of them with each move, and
takes what the script draws until the script says that it has finished.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

LARGEST_ANSWER = 64 * 2**20
KINDS = ("slider", "selectbox", "number_input", "checkbox", "button", "button_group")
REPLACED = ForwardMsg.FINISHED_EARLY_FOR_RERUN


@dataclass
class Answer:
    """What one run of the script drew.

    Attributes:
        elements: what it drew, in order.
        size: bytes received.
        replaced: whether a newer request ended it.
        began: when word came that it begins, on ``time.monotonic``.
    """

    elements: list[Element] = field(default_factory=list)
    size: int = 0
    replaced: bool = False
    began: float = 0.0

    def of(self, kind: str) -> list[Any]:
        """The elements of one kind, such as ``"alert"``."""
        return [getattr(e, kind) for e in self.elements if e.WhichOneof("type") == kind]

    @property
    def errors(self) -> list[str]:
        """What a reader sees as an error: exceptions and red boxes."""
        alerts = [a.body for a in self.of("alert") if a.format == a.ERROR]
        return [f"{e.type}: {e.message}" for e in self.of("exception")] + alerts

    @property
    def board(self) -> dict[str, Any]:
        """What the page says to whoever drags one of its sliders."""
        given = [c.json or c.mixed.json for c in self.of("bidi_component")]
        return next((json.loads(text) for text in given if '"token"' in text), {})

    @property
    def charts(self) -> list[str]:
        """What the charts were given, as JSON; other components, such as a link, show no figure."""
        given = (c.bytes.decode() for c in self.of("bidi_component"))
        return [text for text in given if '"figure"' in text]


class Tab:
    """A connection, the widgets of the page it shows, and their values.

    Attributes:
        widgets: id → the widget as the script described it.
        values: id → its state as the browser will send it.
        pages: address → hash, of all pages.
        page: hash of the page on show.
        session: name of the session, with which a lost connection is taken up again.
        board: what the page says to whoever drags one of its sliders; empty on other pages.
    """

    def __init__(self, socket: ClientConnection, query: str = "", address: str = "") -> None:
        self.socket = socket
        self.address = address
        self.board: dict[str, Any] = {}
        self.query = query
        self.widgets: dict[str, Any] = {}
        self.values: dict[str, WidgetState] = {}
        self.pages: dict[str, str] = {}
        self.page = ""
        self.session = ""

    async def ask(self, page: str | None = None) -> None:
        """Ask for a run of the script with the present values, on another page if named."""
        if page is not None:
            self.page = page
        state = ClientState(query_string=self.query, page_script_hash=self.page)
        state.widget_states.widgets.extend(self.values.values())
        state.context_info.timezone = "UTC"
        self.release()
        await self.socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def answer(self) -> Answer:
        """What the next run draws, from its beginning to its end."""
        answer = Answer()
        while True:
            message, size = await self.next()
            answer.size += size
            kind = message.WhichOneof("type")
            if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                answer.elements.append(message.delta.new_element)
            elif kind == "new_session":
                self._began(message, answer)
            elif kind == "navigation":
                self.pages = {
                    p.url_pathname: p.page_script_hash for p in message.navigation.app_pages
                }
                self.page = message.navigation.page_script_hash
            elif kind == "script_finished":
                answer.replaced = message.script_finished == REPLACED
                self._took(answer)
                return answer

    async def move(self) -> Answer:
        """Send the present values; what the script draws of them, once it was not replaced."""
        await self.ask()
        return await self.settled()

    async def settled(self) -> Answer:
        """What the first run draws that is not replaced by a newer request."""
        answer = await self.answer()
        while answer.replaced:
            answer = await self.answer()
        return answer

    def set(self, widget: str, **value: Any) -> None:
        """Give a widget another value, such as ``double_array_value=[0.5]``."""
        self.values[widget] = state(widget, value)

    def release(self) -> None:
        """Buttons are pressed for one request only."""
        for name in [n for n, s in self.values.items() if s.WhichOneof("value") == "trigger_value"]:
            del self.values[name]

    def named(self, label: str) -> Any:
        """The widget whose label begins so."""
        found = [w for w in self.widgets.values() if w.label.startswith(label)]
        if not found:
            raise LookupError(
                f"no widget {label!r}; there are {[*map(_label, self.widgets.values())]}"
            )
        return found[0]

    async def next(self) -> tuple[ForwardMsg, int]:
        """The next message of the server, and its size in bytes."""
        data = await self.socket.recv()
        message = ForwardMsg()
        message.ParseFromString(data)
        return message, len(data)

    def _began(self, message: ForwardMsg, answer: Answer) -> None:
        answer.elements.clear()
        answer.began = time.monotonic()
        self.session = message.new_session.initialize.session_id
        self.page = message.new_session.page_script_hash

    def _took(self, answer: Answer) -> None:
        """Learn the widgets that a complete run drew, and the values that it set."""
        if answer.replaced:
            return
        drawn = {}
        for element in answer.elements:
            kind = element.WhichOneof("type")
            if kind in KINDS:
                widget = getattr(element, kind)
                drawn[widget.id] = widget
                if widget.id not in self.values or getattr(widget, "set_value", False):
                    known = _initial(kind, widget)
                    if known is not None:
                        self.values[widget.id] = state(widget.id, known)
        self.widgets = drawn
        self.board = answer.board
        self.values = {name: value for name, value in self.values.items() if name in drawn}


def _label(widget: Any) -> str:
    return str(widget.label)


def state(widget: str, value: Mapping[str, Any]) -> WidgetState:
    """The state of a widget as it goes over the wire."""
    ((kind, content),) = value.items()
    made = WidgetState(id=widget)
    if isinstance(content, list):
        getattr(made, kind).data.extend(content)
        getattr(made, kind).SetInParent()
    else:
        setattr(made, kind, content)
    return made


def _initial(kind: str, widget: Any) -> dict[str, Any] | None:
    """The value that a browser gives a widget it sees for the first time, or is told to set."""
    told = getattr(widget, "set_value", False)
    if kind == "slider":
        return _slider(widget, told=told)
    if kind == "selectbox":
        return {"string_value": widget.raw_value if told else widget.options[widget.default]}
    if kind == "button_group":
        chosen = [widget.options[place].content for place in widget.default]
        return {"string_array_value": list(widget.raw_values) if told else chosen}
    field = {"number_input": "double_value", "checkbox": "bool_value"}.get(kind)
    return {field: widget.value if told else widget.default} if field else None


def _slider(widget: Any, *, told: bool) -> dict[str, Any]:
    if not widget.options:
        return {"double_array_value": list(widget.value if told else widget.default)}
    chosen = [widget.options[int(place)] for place in widget.default]
    return {"string_array_value": list(widget.raw_value) if told else chosen}


async def opened(
    address: str, query: str = "", path: str = "", session: str = "", patience: float = 60.0
) -> tuple[Tab, Answer]:
    """Open a tab on a running server: the tab and the first picture.

    Args:
        address: as in ``http://127.0.0.1:8501``.
        query: what follows the question mark.
        path: address of the page below that, empty for the front page.
        session: take up this session again, as after a lost connection.
        patience: seconds to wait for the first picture.
    """
    socket = await connect(
        address.replace("http", "ws", 1) + "/_stcore/stream",
        origin=address,  # type: ignore[arg-type]
        subprotocols=["streamlit", "", session] if session else ["streamlit"],  # type: ignore[list-item]
        max_size=LARGEST_ANSWER,
        compression=None,
        proxy=None,
        open_timeout=patience,
    )
    tab = Tab(socket, query, address)
    async with asyncio.timeout(patience):
        await tab.ask()
        answer = await tab.answer()
        if path:
            await tab.ask(tab.pages[path])
            answer = await tab.settled()
    return tab, answer
