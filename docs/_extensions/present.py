"""The directive `present-toctree`: a toctree of those of its pages that are there.

Pages of measured results are made by scripts that take hours. A clone in which one has not been made yet has a site all
the same.
"""

from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.directives.other import TocTree


class PresentTocTree(TocTree):
    """Lines name documents beside the page, as in a toctree, or `Title <document>`."""

    def run(self) -> list:
        """Leave out what is not there."""
        kept = [line for line in self.content if named(line) in self.env.found_docs]
        self.content = StringList(kept, source=self.state_machine.get_source())
        return super().run()


def named(line: str) -> str:
    """The document that a line names."""
    return line.strip().removesuffix(">").rpartition("<")[2]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("present-toctree", PresentTocTree)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
