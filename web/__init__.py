"""The web: JSON API, pages, signs of life and metrics. It shows and asks; what happens is decided in ``worker``."""
