"""The HTML face: pages, each with a template beside them."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
