"""The lessons."""

from sde_lab.ui.lessons import render

render()
