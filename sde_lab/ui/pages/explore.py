"""The front page."""

from sde_lab.ui.explore import render

render()
