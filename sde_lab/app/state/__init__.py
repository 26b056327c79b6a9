"""State of a session and its link: keys and values of widgets, and what they describe."""
