"""The route beside Streamlit's own that answers a dragged slider with frames.

``GET frames/<token>/<number of the slider>?stops=12,11,13``: the answer is, for each frame, its
stop (uint32), its length in bytes (uint32) and itself, little-endian. The header ``X-Frames-Key``
is the same wherever the frames are the same. Nothing in the address is more than a key of a
dictionary or an index.
"""

from __future__ import annotations

import re
import struct

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from sde_lab.server.slider_frames import (
    MAX_STOPS,
    MAX_WAITING,
    BusyError,
    UnknownBoardError,
    find_frames,
)

_STOPS = re.compile(rf"\d{{1,4}}(,\d{{1,4}}){{0,{MAX_STOPS - 1}}}")
_threads = anyio.CapacityLimiter(2 * MAX_WAITING)
"""Of their own: those that wait here must not keep Streamlit from answering for its files."""


async def answer(request: Request) -> Response:
    """Return the frames that are asked for, or 400, 404, or 503 where too many wait."""
    stops = request.query_params.get("stops", "")
    if not _STOPS.fullmatch(stops):
        return Response("stops: give up to 16 indices, such as 12,11,13", 400)
    numbers = list(dict.fromkeys(map(int, stops.split(","))))
    token, slider = request.path_params["token"], request.path_params["slider"]
    try:
        key, frames = await anyio.to_thread.run_sync(
            find_frames, token, slider, numbers, limiter=_threads
        )
    except UnknownBoardError:
        return Response("no such board or slider", 404)
    except BusyError:
        return Response("busy", 503, headers={"Retry-After": "1"})
    body = b"".join(struct.pack("<II", stop, len(frame)) + frame for stop, frame in frames.items())
    # Frames are compressed already; with an encoding named, the server does not do it once more.
    headers = {"X-Frames-Key": key, "Cache-Control": "no-store", "Content-Encoding": "identity"}
    return Response(body, 200, headers, "application/octet-stream")
