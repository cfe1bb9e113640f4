"""One file per machine-facing URL."""
