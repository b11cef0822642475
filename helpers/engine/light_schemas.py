"""Importing this before nbformat saves a start of 3.5 seconds.

nbformat imports jsonschema, which builds a grammar of web addresses as it starts, if
Jupyter has brought rfc3987_syntax; the schema of notebooks has no address to check.
"""

import sys

GRAMMAR = "rfc3987_syntax"

if GRAMMAR not in sys.modules:
    sys.modules[GRAMMAR] = None  # type: ignore[assignment]  # as if it weren't there
    try:
        import jsonschema  # noqa: F401
    finally:
        del sys.modules[GRAMMAR]
