"""The inventory of a tenant: every application and service principal with its credentials, read through one connection."""
