"""People-facing pages."""
