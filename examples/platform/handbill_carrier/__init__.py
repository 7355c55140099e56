"""Platforms that this package adds to Handbill."""
