"""The block `{% generation %}` of Transformers' chat templates, so that Jinja can parse it. Only where Jinja is."""

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser


class Generation(Extension):
    """Takes the block for what stands in it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Parse one block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
