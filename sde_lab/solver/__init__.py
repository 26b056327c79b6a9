"""Brownian increments and the solver in step time: scenario → paths."""
