"""What a session and its address bar hold."""
