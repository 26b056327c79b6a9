"""The front page."""

from sde_lab.app.pages.explore import render

render()
