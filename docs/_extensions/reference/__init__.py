"""Write the reference from the code, before Sphinx looks for its pages: `docs/reference/`, which git ignores.

What a page says stands once, in docstrings, signatures and tables of the package; here is only how it is laid out.
"""

from pathlib import Path

from sphinx.application import Sphinx

from . import agents, api, command_line, environments, experiment_file, results

MAKERS = (environments, agents, experiment_file, results, command_line, api)
CONTENTS = """\
# Reference

What stands in the docstrings and tables of the code, laid out to be looked things up in.

```{toctree}
:maxdepth: 2

{pages}
```
"""


def write(app: Sphinx) -> None:
    """Write all pages; those whose text is the same are not touched."""
    folder = Path(app.srcdir) / "reference"
    contents = []
    for maker in MAKERS:
        pages = dict(maker.pages())
        contents += [name for name in pages if "/" not in name or name.endswith("/index")]
        for name, text in pages.items():
            path = folder / f"{name}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
    (folder / "index.md").write_text(
        CONTENTS.replace("{pages}", "\n".join([*contents, "../tensorboard"])), encoding="utf-8"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Write when the builder is there, and before sources are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
