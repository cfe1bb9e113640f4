"""What programs may call here, described once: the table from which the OpenAPI document and its page are made (OpenAPI 3.1)."""
