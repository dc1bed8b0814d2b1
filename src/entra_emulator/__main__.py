"""`python -m entra_emulator` is the same as `entra-emulator`."""

from entra_emulator.server.cli import run

if __name__ == "__main__":
    run()
