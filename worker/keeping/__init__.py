"""What keeps the data of an installation: archives, backups, what is old enough to go, and new keys for its secrets."""
