"""Keyturn: rotation of Microsoft Entra client secrets."""

__version__ = "0.1.0"
