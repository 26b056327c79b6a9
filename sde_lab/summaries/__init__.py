"""Paths and Jacobian → the small arrays that a page shows."""
