"""The pages and what they share: controls, caches, charts."""
