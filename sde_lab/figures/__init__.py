"""Pure functions from results to Plotly figures, as plain dictionaries."""
