"""Ways to get the Jacobian of every path, by name; replay is the one to use."""
