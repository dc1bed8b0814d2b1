"""Measurements behind what the product claims: ``python -m benchmarks`` runs all, ``python -m benchmarks NAME`` one."""
