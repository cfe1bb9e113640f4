"""What we claim about speed, and the one command that measures it again: `make bench`."""
