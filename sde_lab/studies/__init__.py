"""Questions answered on a scenario, one to a file or a folder."""
