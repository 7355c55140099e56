"""Handbill beside its peers: one command each, a table for people, ``--json`` for machines."""
