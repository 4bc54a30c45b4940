"""What installers write for a wheel's entry point: the only content of an image that is in no archive.

The wheel says module and function; pip, uv and distlib write a few lines around them. Anything else in such a file
is somebody else's.
"""

import re

_SCRIPT = re.compile(
    r"#!/(?:usr|usr/local|opt/[\w.-]+)/bin/python[0-9.]*\n"
    r"(?:# -\*- coding: utf-8 -\*-\n)?"
    r"(?:import re\n)?import sys\n+"
    r"from (?P<module>[\w.]+) import (?P<first>\w+)\n+"
    r"if __name__ == (?:'__main__'|\"__main__\"):\n"
    r"(?: {4}(?:if|elif) sys\.argv\[0\]\.endswith\(\"[\w.-]+\"\):\n {8}sys\.argv\[0\] = sys\.argv\[0\]\[:-[0-9]+\]\n)*"
    r"(?: {4}sys\.argv\[0\] = (?:re\.sub\(r'\(-script\\\.pyw\|\\\.exe\)\?\$', '', sys\.argv\[0\]\)"
    r"|sys\.argv\[0\]\.removesuffix\('\.exe'\))\n)?"
    r" {4}sys\.exit\((?P<call>[\w.]+)\(\)\)\n?"
)


def is_written_for(entry_point: str, content: bytes | None) -> bool:
    """True when ``content`` is what an installer writes for ``module:function``; False for None."""
    module, _, call = entry_point.partition("[")[0].replace(" ", "").partition(":")
    match = _SCRIPT.fullmatch((content or b"").decode("utf-8", "replace"))
    if match is None or not call:
        return False
    return (match["module"], match["first"], match["call"]) == (module, call.split(".")[0], call)
