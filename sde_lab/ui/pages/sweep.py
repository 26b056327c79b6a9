"""The page of sweeps."""

from sde_lab.ui.sweep import render

render()
