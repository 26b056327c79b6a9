"""Pathwise derivatives of simulated paths by initial state and parameters, by several methods."""
