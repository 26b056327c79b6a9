"""The files that Streamlit executes, one per address."""
