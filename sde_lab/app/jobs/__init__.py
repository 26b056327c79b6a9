"""Long computations of one session."""
