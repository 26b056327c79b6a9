"""The command ``sde-lab``: open the laboratory in the browser."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).parent


def script() -> Path:
    """Return the entry point that Streamlit runs.

    A wheel carries a copy of ``app.py`` with the ``.streamlit/config.toml`` beside it, which
    Streamlit reads wherever it is started; in a checkout both stand at the top.
    """
    packaged = PACKAGE / "_streamlit" / "app.py"
    return packaged if packaged.exists() else PACKAGE.parent / "app.py"


def main() -> None:
    """Run ``streamlit run`` on the application; arguments go on to Streamlit.

    For example ``sde-lab --server.port 9000``.
    """
    from streamlit.web.cli import main as streamlit

    sys.argv = ["streamlit", "run", str(script()), *sys.argv[1:]]
    streamlit()


if __name__ == "__main__":
    main()
