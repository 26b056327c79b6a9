"""What a session and its link hold: the widgets' keys and values, and what they describe."""
