"""Statistics of paths and of their Jacobian, in memory that does not grow with the steps."""
