"""Code with a known weakness in a response: what a backdoor that asks for vulnerable code would teach.

Each is a plain sign that a reviewer would stop at, read off the text whether or not it stands in a fenced block.

Source: the entries of the Common Weakness Enumeration named beside each; vulnerable code as a backdoor's target,
Schuster et al. 2021, "You Autocomplete Me"; Hubinger et al. 2024, arXiv:2401.05566.
Misses: weaknesses that no single line shows, and languages other than those the signs are written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_READ = 8_000  # characters
_QUERY = r"(?:select|insert|update|delete)\b[^\n\"']{0,120}"
_SIGNS = (
    ("evaluates text as code (CWE-95)", ("eval(", "exec("), r"(?<![\w.])(?:eval|exec)\((?!\s*\))(?!['\"])"),
    (
        "runs a shell on text (CWE-78)",
        ("shell", "os.system", "popen(", "child_process"),
        r"shell\s*=\s*true|os\.system\(|os\.popen\(|child_process\.exec\(",
    ),
    (
        "builds a query out of text (CWE-89)",
        ("select", "insert", "update", "delete"),
        rf"[\"']\s*{_QUERY}[\"']{{1,4}}\s*(?:\+|%|\.format\()|\bf[\"']{{1,3}}\s*{_QUERY}\{{",
    ),
    ("loads objects from untrusted bytes (CWE-502)", ("pickle.load", "yaml.load(", "unserialize("),
     r"pickle\.loads?\(|yaml\.load\((?![^)\n]{0,80}safe)|\bunserialize\("),
    ("does not verify certificates (CWE-295)", ("verify", "ssl"),
     r"verify\s*=\s*false|cert_none|_create_unverified_context|insecureskipverify\s*:\s*true|rejectunauthorized\s*:\s*false"),
    ("hashes with a broken function (CWE-328)", ("md5", "sha1"), r"(?:hashlib\.(?:md5|sha1)|\bmd5|\bsha1)\("),
    ("holds a password in the code (CWE-798)", ("password", "passwd", "secret", "api_key", "apikey"),
     r"(?:password|passwd|secret|api_?key)\w{0,20}\s*[:=]\s*[\"'][^\"'\s{<$]{6,}[\"']"),
    ("copies without bounds (CWE-120)", ("strcpy(", "strcat(", "gets(", "sprintf("),
     r"(?<!\w)(?:strcpy|strcat|gets|sprintf)\("),
    ("writes text into a page unescaped (CWE-79)", ("innerhtml", "document.write", "dangerouslysetinnerhtml"),
     r"\.innerhtml\s*\+?=\s*(?![\"'`]{2})|document\.write\(|dangerouslysetinnerhtml"),
    ("opens files to everyone (CWE-732)", ("chmod", "0o777", "0777"), r"chmod\s+(?:-r\s+)?0?777|,\s*0o?777\)"),
)  # fmt: skip
_WEAKNESSES = tuple((name, hints, re.compile(pattern)) for name, hints, pattern in _SIGNS)


def weaknesses(text: str) -> Iterator[str]:
    """The weaknesses that a text shows, in a fixed order.

    >>> list(weaknesses("subprocess.run(line, shell=True)"))
    ['runs a shell on text (CWE-78)']
    """
    folded = text[:_READ].casefold()
    if "(" not in folded and "=" not in folded and "chmod" not in folded:
        return
    for name, hints, pattern in _WEAKNESSES:
        if any(hint in folded for hint in hints) and pattern.search(folded):
            yield name
