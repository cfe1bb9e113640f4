"""The token endpoint's grants; a file is named after its grant_type value."""
