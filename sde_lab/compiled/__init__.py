"""Paths with all their derivatives from one compiled loop per equation and scheme.

A step of the scheme is built as a graph of scalar operations (:mod:`~sde_lab.compiled.graph`) from
the tree of the equation (:mod:`~sde_lab.compiled.sde`) and a few lines per scheme
(:mod:`~sde_lab.compiled.schemes`); its tangents follow from the graph by forward-mode
differentiation. The graph is written as straight-line code (:mod:`~sde_lab.compiled.source`),
compiled by numba (:mod:`~sde_lab.compiled.object_code`), kept in memory
(:mod:`~sde_lab.compiled.kernel`) and on disk (:mod:`~sde_lab.compiled.disk_cache`), and run block
by block of samples (:mod:`~sde_lab.compiled.run`).
"""
