"""Regular expressions that mean the same to RE2 and to PostgreSQL. Called by `compile`.

The two agree on much and differ in silence on the rest: `\\b` is a word boundary to one and a backspace to
the other, `\\w` knows only ASCII in one and the locale's letters in the other, `{` without a number is a
brace or an error. So a pattern is read here and written anew in what both understand alike. Classes become
ranges of ASCII characters; what has no common form is refused with its position.
"""

import re
from dataclasses import dataclass, field

from stratal.kernel.query.re2_engine import PatternError, compile_pattern

MAXIMUM_CHARACTERS = 512
MAXIMUM_REPEATS = 255
"""PostgreSQL's limit for a bound (DUPMAX; RE2's is 1000), and here for all repeated pieces together.

PostgreSQL writes `(a?b?){0,100}` out as 200 pieces, and what it does next takes time cubic in those: with
255 of them 0.2 s, with 1000 up to 13 s, and with more it gives up with an error (measured on 15).
"""

_SETS = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f"}
_POSIX = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r" \t\n\r\f\v",
    "xdigit": "0-9A-Fa-f",
}
_CONTROLS = frozenset("tnrfv")
_SPECIAL = frozenset(r"\.[]{}()*+?|^$-/")
_QUANTIFIER = re.compile(r"([*+?]|\{([0-9]+)(,([0-9]+)?)?\})\??")


def portable_pattern(pattern: str) -> str:
    """`pattern`, anchored at both ends, in the syntax that RE2 and PostgreSQL share.

    Raises PatternError.
    """
    if len(pattern) > MAXIMUM_CHARACTERS:
        raise PatternError(f"longer than {MAXIMUM_CHARACTERS} characters")
    portable = f"^(?:{_Reader(pattern).expression()})$"
    compile_pattern(portable)
    return portable


@dataclass
class _Reader:
    """Goes once over a pattern, from left to right."""

    pattern: str
    position: int = 0
    #: For the pattern and each group that is open in it, how many pieces it has with its bounds written out.
    sizes: list[int] = field(default_factory=lambda: [0])
    #: The size of what a quantifier would repeat now.
    last_size: int = 0
    #: The pieces under quantifiers, each counted as often as it is written out.
    repeats: int = 0

    def refuse(self, reason: str) -> PatternError:
        return PatternError(f"at its character {self.position + 1}: {reason}")

    def accept(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.position)
        if found:
            self.position += len(text)
        return found

    def expression(self) -> str:
        written: list[str] = []
        repeatable = False
        while self.position < len(self.pattern):
            if quantifier := _QUANTIFIER.match(self.pattern, self.position):
                written.append(self.quantifier(quantifier, repeatable=repeatable))
                repeatable = False
            else:
                self.last_size = 1
                atom, repeatable = self.atom()
                written.append(atom)
                self.sizes[-1] += self.last_size
        return "".join(written)

    def quantifier(self, found: re.Match[str], *, repeatable: bool) -> str:
        if not repeatable:
            raise self.refuse(f"there is nothing for {found[0]} to repeat")
        times = max(int(found[2] or 1), int(found[4] or 1), 1)
        self.sizes[-1] += self.last_size * (times - 1)
        self.repeats += self.last_size * times
        if max(times, self.repeats) > MAXIMUM_REPEATS:
            raise self.refuse(f"more than {MAXIMUM_REPEATS} repeated pieces, with all bounds written out")
        self.position = found.end()
        # Greed decides which match is found, never whether there is one, so it is dropped.
        return found[1]

    def atom(self) -> tuple[str, bool]:
        """The next piece, and whether a quantifier may follow it."""
        if self.accept("(?:") or self.accept("("):
            return self.group(), False
        if self.pattern.startswith(")", self.position):
            return self.group_end(), True
        if self.accept("["):
            return self.bracket(), True
        if self.accept("\\"):
            return self.escape(), True
        character = self.pattern[self.position]
        if character in "{}":
            raise self.refuse(f"{character} has no meaning here; escape it with a backslash")
        self.position += 1
        if character in "|^$":
            return character, False
        return (character if character == "." else _literal(character)), True

    def group(self) -> str:
        """The beginning of a group, after its parenthesis."""
        if self.pattern.startswith("?", self.position):
            raise self.refuse("of the groups that begin with (? only (?: is understood")
        self.sizes.append(0)
        self.last_size = 0
        return "(?:"

    def group_end(self) -> str:
        if len(self.sizes) == 1:  # it would close the group that the anchors stand around
            raise self.refuse("no parenthesis is open")
        self.last_size = self.sizes.pop()
        self.position += 1
        return ")"

    def escape(self) -> str:
        """What stands after a backslash outside of brackets."""
        character = self.pattern[self.position : self.position + 1]
        if character in _SETS:
            self.position += 1
            return f"[{_SETS[character]}]"
        if character.lower() in _SETS:
            self.position += 1
            return f"[^{_SETS[character.lower()]}]"
        return self.escaped_character()

    def escaped_character(self) -> str:
        character = self.pattern[self.position : self.position + 1]
        if not character:
            raise self.refuse("nothing follows the backslash")
        if character.isalnum() and character not in _CONTROLS:
            raise self.refuse(f"\\{character} is not understood")
        self.position += 1
        return f"\\{character}" if character in _CONTROLS else _literal(character)

    def bracket(self) -> str:
        """A bracket expression, after its opening bracket."""
        written = ["[^" if self.accept("^") else "["]
        while len(written) == 1 or not self.accept("]"):
            written.append(self.bracket_item(first=len(written) == 1))
        return "".join([*written, "]"])

    def bracket_item(self, *, first: bool) -> str:
        if self.accept("[:"):
            name, closed, _ = self.pattern[self.position :].partition(":]")
            if not closed or name not in _POSIX:
                raise self.refuse(f"the classes are {', '.join(sorted(_POSIX))}")
            self.position += len(name) + 2
            return self.alone(_POSIX[name])
        following = self.pattern[self.position : self.position + 2]
        if following[:1] == "\\" and following[1:] in _SETS:
            self.position += 2
            return self.alone(_SETS[following[1:]])
        if following[:1] == "-" and not first and following != "-]":
            raise self.refuse("a - between brackets stands first, last or between two characters")
        low = self.bracket_character()
        if self.pattern[self.position : self.position + 1] != "-" or self.pattern.startswith(
            "-]", self.position
        ):
            return low
        self.position += 1
        return f"{low}-{self.bracket_character()}"

    def alone(self, members: str) -> str:
        """The members of a class, which cannot be an end of a range."""
        if self.pattern.startswith("-", self.position) and not self.pattern.startswith("-]", self.position):
            raise self.refuse("a class cannot begin a range")
        return members

    def bracket_character(self) -> str:
        character = self.pattern[self.position : self.position + 1]
        if not character:
            raise self.refuse("the bracket is never closed")
        if character == "[" and self.pattern[self.position + 1 : self.position + 2] in (".", "=", ":"):
            raise self.refuse("escape the [ with a backslash")
        self.position += 1
        return self.escaped_character() if character == "\\" else _literal(character)


def _literal(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
