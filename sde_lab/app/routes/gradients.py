"""The Gradients page."""

from sde_lab.app.pages.gradients import render

render()
