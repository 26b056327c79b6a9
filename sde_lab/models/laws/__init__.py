"""Distributions of states and sensitivities that are known exactly."""
