"""The page of sweeps."""

from sde_lab.app.pages.sweep import render

render()
