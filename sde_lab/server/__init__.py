"""Processes, queue, caches and cluster of the application's server. Nothing here imports Streamlit."""
