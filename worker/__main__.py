"""``python -m worker`` is the ``handbill`` command."""

from worker.cli import main

main()
