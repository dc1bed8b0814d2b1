"""How Sphinx builds the documents of this repository into pages."""

project = "Keyturn"
author = "The Keyturn authors"
html_title = "Keyturn"
html_theme = "furo"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
smartquotes = False  # "--root" is two hyphens

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
# Neither is a link of ours that leads nowhere: GitHub's alerts and HTML are left as they are.
suppress_warnings = ["misc.highlighting_failure"]

html_static_path: list[str] = []  # set by the build: where the sources were laid out
html_css_files = ["own.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "footer_icons": []}
templates_path: list[str] = []
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
