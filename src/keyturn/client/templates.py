"""Writes a file's text from secrets: a template, a format, or one secret. A template cannot reach anything else.

It is filled in a process of its own that may use so much time and memory and no more: whoever writes templates cannot stop the
delivery of other files.
"""

import contextlib
import os
import resource
import select
import signal
import time
from collections.abc import Mapping

from keyturn.client.agent_config import FilePlan
from keyturn.client.formats import format_values
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext

LARGEST = 4 * 1024 * 1024
"""Of a file, in bytes."""
_SECONDS = 10.0
_MEMORY = 1024 * 1024 * 1024


def content_of(plan: FilePlan, values: Mapping[str, Plaintext]) -> bytes:
    """Return the content of the file. Raises Refused when it cannot be made of these secrets."""
    if plan.format:
        return format_values(values, plan.format).reveal().encode()
    if plan.secret:
        if plan.secret not in values:
            raise _refused(plan, f"there is no secret '{plan.secret}'")
        return values[plan.secret].reveal().encode()
    return _filled(plan, values)


def _filled(plan: FilePlan, values: Mapping[str, Plaintext]) -> bytes:
    import jinja2.sandbox  # noqa: F401, PLC0415 - here, so that not every child has to load it

    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _in_child(plan, values, reading, writing)
    os.close(writing)
    try:
        output = _collected(reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if output is None:
        raise _refused(
            plan, f"filling the template took more than {_SECONDS:g} seconds, or made more than {LARGEST} bytes"
        )
    if not output:
        killed = os.WIFSIGNALED(status)
        raise _refused(plan, "filling the template took too much time or memory" if killed else "the template failed")
    if output[:1] != b"+":
        raise _refused(plan, output[1:].decode("utf-8", "replace"))
    return output[1:]


def _collected(reading: int) -> bytes | None:
    """Return all that comes; None when it is too much, or takes too long."""
    output, until = bytearray(), time.monotonic() + _SECONDS
    while len(output) <= LARGEST:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        piece = os.read(reading, 65536)
        if not piece:
            return bytes(output)
        output += piece
    return None


def _in_child(plan: FilePlan, values: Mapping[str, Plaintext], reading: int, writing: int) -> None:
    """Fill the template and end. Nothing but the answer leaves this process: no traceback, which could show a value."""
    try:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (int(_SECONDS), int(_SECONDS)))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        answer = b"+" + _render(plan.template, {name: value.reveal() for name, value in values.items()}).encode()
    except BaseException as error:  # noqa: BLE001 - its text might hold a value, so only its kind is told
        answer = b"-" + _told(error).encode()
    with contextlib.suppress(BaseException):
        while answer:
            answer = answer[os.write(writing, answer) :]
    os._exit(0)


def _render(template: str, values: Mapping[str, str]) -> str:
    import json  # noqa: PLC0415
    import shlex  # noqa: PLC0415

    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters |= {"json": lambda value: json.dumps(value, ensure_ascii=False), "shell": shlex.quote}
    return environment.from_string(template).render(secrets=dict(values))


def _told(error: BaseException) -> str:
    """Say what is wrong without quoting a value: of what Jinja says only what is about the template itself."""
    from jinja2 import TemplateSyntaxError, UndefinedError  # noqa: PLC0415

    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno} of the template cannot be understood: {error.message}"
    if isinstance(error, UndefinedError):
        return f"the template asks for what is not there: {error.message}"
    return f"the template failed ({type(error).__name__})"


def _refused(plan: FilePlan, what: str) -> Refused:
    return Refused(
        f"The file '{plan.name}' is left as it is: {what}.",
        code="client.template",
        fix="Correct the template, or add the secret.",
    )
