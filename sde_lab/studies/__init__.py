"""Studies of pathwise derivatives on a scenario, one per file; ``benchmark`` compares methods.

A study is a function from a scenario to a frozen result. It neither draws nor knows of the page
that shows it.
"""
