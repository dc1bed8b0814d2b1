"""The client's commands against the genuine server: a value is set, read, exported, and given to a program that follows it."""

import json
import re
import resource
import subprocess
from pathlib import Path

from tests.system.command import COMMAND, PATIENCE, Home
from tests.system.sdk_project import sdk_project

AGENT = """
[[set]]
name = "billing"
directory = "DIR/run"

[[set.file]]
name = "secrets.json"
format = "json"
"""


def test_a_secret_reaches_programs_and_its_change_too(tmp_path: Path) -> None:
    home = Home(tmp_path / "client", tmp_path)
    with sdk_project(tmp_path) as given:
        environ = {
            "KEYTURN_URL": given.url,
            "KEYTURN_CLIENT_ID": given.client_id,
            "KEYTURN_CLIENT_SECRET": given.client_secret,
            "KEYTURN_PROJECT": "payments",
            "KEYTURN_ENVIRONMENT": "dev",
        }

        def keyturn(*arguments: str, stdin: str = "", status: int = 0, **variables: str) -> str:
            done = home.run(*arguments, stdin=stdin, **(environ | variables))
            assert done.status == status, done
            assert given.client_secret not in done.out + done.err
            return done.out if status == 0 else done.err

        keyturn("secrets", "set", "DB_PASSWORD", stdin="it's\ntwo lines\n")
        keyturn("secrets", "set", "API_KEY", stdin="one\n")
        assert keyturn("secrets", "list") == "API_KEY\nDB_PASSWORD\n"
        assert keyturn("secrets", "get", "DB_PASSWORD") == "it's\ntwo lines"
        exported = json.loads(keyturn("secrets", "export", "--format", "json"))
        assert exported == {"API_KEY": "one", "DB_PASSWORD": "it's\ntwo lines"}
        assert "no secret 'NONE'" in keyturn("secrets", "get", "NONE", status=1)
        assert "no environment 'qa'" in keyturn("secrets", "list", "--env", "qa", status=1)
        assert "Invalid credentials" in keyturn("login", status=77, KEYTURN_CLIENT_SECRET="wrong")
        token = keyturn("login").strip()
        assert keyturn("secrets", "list", KEYTURN_TOKEN=token, KEYTURN_CLIENT_ID="") == "API_KEY\nDB_PASSWORD\n"

        (tmp_path / "agent.toml").write_text(AGENT.replace("DIR", str(tmp_path)))
        config = ("--config", str(tmp_path / "agent.toml"))
        keyturn("agent", "run", "--once", *config)
        assert (
            tmp_path / "run" / "secrets.json"
        ).read_text() == '{\n  "API_KEY": "one",\n  "DB_PASSWORD": "it\'s\\ntwo lines"\n}\n'
        assert keyturn("agent", "status", *config).startswith("billing: as of ")

        shown = keyturn("agent", "status", "--metrics", *config)
        assert 'keyturn_agent_trouble{set="billing"} 0' in shown
        assert (tmp_path / "agent.state.instance").read_text().strip().isprintable()

        # It looks once in ten minutes: that there is something new, the server says at once.
        line = ["--interval", "600", "--", "sh", "-c", "echo started $API_KEY; ulimit -Sc; exec cat"]
        with subprocess.Popen(
            [COMMAND, "run", *line], env=home.environ(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "started one\n"
            soft = resource.getrlimit(resource.RLIMIT_CORE)[0]
            assert program.stdout.readline() == (
                "unlimited\n" if soft == resource.RLIM_INFINITY else f"{soft // 512}\n"
            )
            limits = Path(f"/proc/{program.pid}/limits").read_text()
            assert re.search("^Max core file size +0 ", limits, re.MULTILINE), "its memory holds secrets"
            keyturn("secrets", "set", "API_KEY", stdin="two\n")
            assert program.stdout.readline() == "started two\n"
            assert b"two" not in Path(f"/proc/{program.pid}/cmdline").read_bytes()
            program.terminate()
            assert program.wait(PATIENCE) == 143
        assert "no terminal" in keyturn("secrets", "delete", "API_KEY", status=2)
        keyturn("secrets", "delete", "API_KEY", "--yes")
        assert keyturn("secrets", "list") == "DB_PASSWORD\n"
        keyturn("run", "--", "sh", "-c", "exit 7", status=7)
    # The server is gone: a program starts with the copy, and whoever asks by hand is told.
    assert "cannot be reached" in keyturn("secrets", "list", status=69)
    assert keyturn("run", "--", "sh", "-c", 'echo "$DB_PASSWORD"') == "it's\ntwo lines\n"
    assert "cannot be reached" in keyturn("run", "--no-cache", "--", "true", status=69)
