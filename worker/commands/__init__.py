"""The commands, a file for each topic; ``worker.cli`` joins them."""
