"""Processes, queue, caches and cluster of the server. Nothing here imports Streamlit."""
