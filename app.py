"""Entry point of the laboratory in the browser: ``streamlit run app.py``, or ``sde-lab``.

Streamlit finds ``app`` here and serves it: the pages, which ``sde_lab/app/routes/main.py`` draws,
and one route beside them, for the frames that a page draws while a slider is dragged.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit import config
from streamlit.starlette import App


async def frames(request: Request) -> Response:
    """Answer a dragged slider; see :mod:`sde_lab.server.frame_route`."""
    # Not imported above: the server answers while torch is being imported. By the time that a page
    # asks for frames, it is.
    from sde_lab.server.frame_route import answer

    return await answer(request)


package = find_spec("sde_lab")
assert package is not None
assert package.origin is not None
base = str(config.get_option("server.baseUrlPath")).strip("/")
app = App(
    Path(package.origin).parent / "app" / "routes" / "main.py",
    routes=[Route(f"/{base}/frames/{{token}}/{{slider:int}}".replace("//", "/"), frames)],
)
