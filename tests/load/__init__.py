"""A class at once: readers that speak the server's own protocol, and what their moves take."""
