"""Exact laws, stationary densities, fixed points and boundaries: results without simulation."""
