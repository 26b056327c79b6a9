"""Questions answered on a scenario, one to a file."""
