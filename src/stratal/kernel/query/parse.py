"""From the text of `q` to its tree. Called by services that list resources, and by nothing in between.

Lucene's syntax as the XSKY family of clients writes it:

    spec.name:foo                          a value; also spec.name:"foo \"bar\" baz"
    spec.name:foo*                         begins with; * alone asks for any value
    spec.id:(1 2 3)                        any of them; commas and OR between them are fine
    spec.name:~".*1.*"                     a regular expression for the whole value
    spec.size_mb:[10 TO 20]  {10 TO *}     a range, with [ ] or without { } its bounds
    spec.size_mb:>5  >=5  <5  <=5          a comparison
    spec.node_id:null                      no value
    (a:1 OR b:2) AND NOT c:3               NOT binds tighter than AND, AND tighter than OR;
                                           without an operator between two terms, both must hold

Inside quotes a backslash takes away the meaning of the character after it. In a regular expression it
does so only for a quotation mark, and otherwise belongs to the expression.
"""

from stratal.kernel.errors import Invalid
from stratal.kernel.query.builder import Builder
from stratal.kernel.query.expression import And, Expression
from stratal.kernel.query.grammar import build_parser
from stratal.kernel.query.problem import is_storable

MAXIMUM_CHARACTERS = 4096

_parse = build_parser(Builder())


def parse_filter(text: str) -> Expression:
    """The tree of a filter. Blank text is the filter that lets everything through.

    Raises Invalid, and nothing else, for text that is no filter or exceeds a limit.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise Invalid(field="q", reason=f"longer than {MAXIMUM_CHARACTERS} characters")
    if not is_storable(text):
        raise Invalid(field="q", reason="contains a NUL character or half of a surrogate pair")
    if not text or text.isspace():
        return And(operands=())
    return _parse(text)
