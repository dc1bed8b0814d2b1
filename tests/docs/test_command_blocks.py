"""No document shows a command that nothing runs, unless it is said why."""

import re

from tests.docs.command_blocks import AZ, NOT_RUN, OTHER_TESTS, ROOT, WALKS, all_blocks, command_blocks


def test_every_block_says_what_it_is() -> None:
    assert [(block.page, block.text[:60]) for block in all_blocks() if not block.language] == []


def test_every_block_of_commands_is_run_or_has_its_reason() -> None:
    covered = set(WALKS) | set(OTHER_TESTS)
    open_ = [
        (block.page, block.text.strip().splitlines()[0])
        for block in command_blocks()
        if not (block.page in covered or block.calls_az or block.reason)
    ]
    assert open_ == []


def test_what_the_tables_name_is_there() -> None:
    assert [path for path in (*OTHER_TESTS.values(), AZ) if not (ROOT / path).exists()] == []
    blocks = command_blocks()
    stale = [key for key in NOT_RUN if not any(key[0] == block.page and key[1] in block.text for block in blocks)]
    assert stale == [], "the block is gone: take the reason away"
    assert [page for page in WALKS if not command_blocks(page)] == []


def test_every_variable_of_a_command_is_set_or_explained_on_its_page() -> None:
    unexplained = []
    for page in {block.page for block in command_blocks()}:
        blocks = "\n".join(block.text for block in command_blocks(page))
        used = set(
            re.findall(r"\$\{?([A-Z][A-Z_]+)\b", re.sub(r"<<'EOF'.*?^EOF", "", blocks, flags=re.DOTALL | re.MULTILINE))
        )
        made = set(re.findall(r"\b([A-Z][A-Z_]+)=", blocks)) | {"HOSTNAME", "HOME", "PWD"}
        text = (ROOT / page).read_text()
        unexplained += [f"{page}: {name}" for name in sorted(used - made) if f"`{name}`" not in text]
        if "api " in blocks and "api()" not in blocks and "`api`" not in text:
            unexplained.append(f"{page}: api")
    assert unexplained == []
