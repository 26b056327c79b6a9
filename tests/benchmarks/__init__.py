"""Benchmarks against what else one could use: ``python -m tests.benchmarks``.

Needs ``pip install -r tests/benchmarks/requirements.txt``. Not part of the tests.
"""
