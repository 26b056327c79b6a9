"""Seven ways to the derivative of a path by its start, raced against each other."""
