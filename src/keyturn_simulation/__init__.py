"""Keyturn against the emulator in one process, on a virtual clock: for tests, and for ``keyturn simulate``.

The only package that knows both the product and the emulator.
"""
