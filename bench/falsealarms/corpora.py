#!/usr/bin/env python3
"""Makes the corpora of docs/results.md from documentation packages of Debian.

    corpora.py FOLDER

downloads the packages with apt-get, unpacks them without installing them, and
writes one plain text file for each document to FOLDER/prose and FOLDER/mixed.
It needs a Debian system with a package index (apt-get update) and nothing else
but Python. The texts are only measured on: none of them is kept here.
"""

import glob
import gzip
import html.parser
import os
import re
import subprocess
import sys

DOC = "usr/share/doc/"

# Name of the documents, package, how it is read, which files
PROSE = [
    ("anarchism", "anarchism", "plain", DOC + "anarchism/markdown/*"),
    ("gcide", "dict-gcide", "entries", "usr/share/dictd/gcide.dict.dz"),
]
MIXED = PROSE + [
    ("foldoc", "dict-foldoc", "entries", "usr/share/dictd/foldoc.dict.dz"),
    ("linux", "linux-doc-6.1", "plain", DOC + "linux-doc-6.1/Documentation/**/*.gz"),
    ("erlang", "erlang-doc", "html", DOC + "**/*.html"),
    ("python", "python3.11-doc", "html", DOC + "**/*.html"),
    ("postgresql", "postgresql-doc-15", "html", DOC + "**/*.html"),
    ("libreoffice", "libreoffice-help-en-us", "html", "usr/share/libreoffice/help/en-US/**/*.html"),
    ("gimp", "gimp-help-en", "html", "usr/share/gimp/2.0/help/en/*.html"),
    ("gnucash", "gnucash-docs", "html", DOC + "gnucash-docs/*-en/*.html"),
    ("handbook", "debian-handbook", "html", DOC + "debian-handbook/html/en-US/*.html"),
    ("harden", "harden-doc", "html", DOC + "harden-doc/html/en-US/*.html"),
    ("maxima", "maxima-doc", "html", DOC + "maxima-doc/html/*.html"),
]

BLOCK = {"p", "div", "li", "ul", "ol", "tr", "td", "th", "dt", "dd", "dl", "pre", "br", "hr",
         "table", "section", "h1", "h2", "h3", "h4", "h5", "h6"}
HIDDEN = {"script", "style", "head", "nav"}


class Text(html.parser.HTMLParser):
    """The visible text of a page, a line for each block."""

    def __init__(self):
        super().__init__()
        self.out, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in HIDDEN
        if tag in BLOCK:
            self.out.append("\n")

    def handle_endtag(self, tag):
        self.hidden -= tag in HIDDEN and self.hidden > 0
        if tag in BLOCK:
            self.out.append("\n")

    def handle_data(self, data):
        if not self.hidden:
            self.out.append(data)


def read(path):
    opener = gzip.open if path.endswith((".gz", ".dz")) else open
    with opener(path, "rb") as f:
        return f.read().decode("utf-8", "replace")


def documents(path, how):
    """The documents of a file, as pairs of a suffix for the name and a text."""
    text = read(path)
    if how == "html":
        parser = Text()
        parser.feed(text)
        text = re.sub(r"\s*\n\s*", "\n", "".join(parser.out))
    if how != "entries":
        yield "", text
        return
    # A dictionary is cut into pages of fifty entries: a line that is not
    # indented begins an entry.
    entries = re.split(r"\n(?=\S)", text)
    for i in range(0, len(entries), 50):
        yield f"-{i // 50:05d}", "\n".join(entries[i:i + 50])


def unpack(packages, cache):
    os.makedirs(cache, exist_ok=True)
    for package in packages:
        folder = os.path.join(cache, package)
        if os.path.isdir(folder):
            continue
        subprocess.run(["apt-get", "download", package], cwd=cache, check=True)
        [deb] = glob.glob(os.path.join(cache, package + "_*.deb"))
        subprocess.run(["dpkg", "-x", deb, folder], check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = os.path.abspath(sys.argv[1])
    cache = os.path.join(out, "packages")
    unpack([package for _, package, _, _ in MIXED], cache)
    for corpus, parts in (("prose", PROSE), ("mixed", MIXED)):
        folder = os.path.join(out, corpus)
        os.makedirs(folder, exist_ok=True)
        total = 0
        for name, package, how, pattern in parts:
            root = os.path.join(cache, package)
            top = os.path.join(root, os.path.dirname(pattern.split("*")[0]))
            for path in sorted(glob.glob(os.path.join(root, pattern), recursive=True)):
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                flat = re.sub(r"[^A-Za-z0-9.]+", "-", os.path.relpath(path, top))
                for suffix, text in documents(path, how):
                    if "\0" in text:
                        continue  # a picture
                    with open(os.path.join(folder, f"{name}-{flat}{suffix}.txt"), "w") as f:
                        total += f.write(text)
        print(f"{corpus}: {total / 1e6:.0f} MB in {len(os.listdir(folder))} documents")


if __name__ == "__main__":
    main()
