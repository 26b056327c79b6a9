"""The lessons."""

from sde_lab.app.pages.lessons import render

render()
