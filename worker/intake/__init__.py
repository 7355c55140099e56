"""How sources come in: pages, files and standard input, read with the suspicion a stranger's bytes deserve."""
