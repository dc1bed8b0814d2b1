"""Receipts of rotations."""
