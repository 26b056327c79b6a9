"""What is known without simulating: exact laws, stationary densities, fixed points."""
