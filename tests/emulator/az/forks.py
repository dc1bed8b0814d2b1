"""Run by azure-cli's own Python: commands of az, each in a process of its own that need not import all of az again."""

import importlib
import json
import os
import runpy
import sys


def run(arguments: list[str], out: str, err: str) -> None:
    """Do what the script ``az`` does: ``python -m azure.cli ARGUMENTS``."""
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["az", *arguments]
    runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)


def main() -> None:
    """Read a JSON list of arguments and two paths on each line; write the exit status when the command is over."""
    for module in (
        "azure.cli.core",
        "azure.cli.command_modules.role.custom",
        "azure.cli.command_modules.profile.custom",
    ):
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


main()
