"""The registered relying parties and how they authenticate."""
