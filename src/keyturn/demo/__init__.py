"""The demonstration: a real rotation against a local Entra ID, both as processes of their own."""
