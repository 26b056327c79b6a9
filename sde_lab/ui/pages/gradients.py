"""The Gradients page."""

from sde_lab.ui.gradients import render

render()
