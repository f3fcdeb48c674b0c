"""Members of staff: their accounts, roles, sessions and second factors."""
