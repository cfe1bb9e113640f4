"""Pages for the people who build an agency's service."""
