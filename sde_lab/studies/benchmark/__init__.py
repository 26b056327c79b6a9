"""Benchmark of the methods for ∂X_t/∂x₀ at every time: code, time, memory, and difference.

``methods`` holds the code and ``registry`` the facts of each method; ``trial`` runs one at one
size, ``benchmark`` all at the size of a scenario, ``scaling`` all at growing sizes.
"""
