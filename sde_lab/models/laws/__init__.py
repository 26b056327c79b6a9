"""Exact distributions of states and sensitivities."""
