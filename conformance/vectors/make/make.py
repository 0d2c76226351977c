#!/usr/bin/env python3
"""Writes the vectors of LINK STATE: `make.py` writes the files, `make.py --check` says whether they are what it writes.

What each vector expects comes from grammar.py, a reading of the specification, and never from an answer of a server.
The ids are made of what is tested and are permanent: change neither the words nor what they stand for."""

import pathlib
import sys

import chunks
import group
import records
import versions

HERE = pathlib.Path(__file__).resolve().parent
PRINTED = (HERE / "orginfo-as-printed.txt").read_text().strip("\n")


def files():
    of_chunks = chunks.book(PRINTED)
    of_records = chunks.Book("record", "link-state", "member", "smtp", ("2yz", "5yz"))
    records.on_smtp(of_records)
    return {"link-chunks.json": of_chunks, "link-records.json": of_records, "link-trace.json": versions.book(), "group-pdus.json": group.book()}


def main():
    wrong = []
    for name, book in files().items():
        path, text = HERE.parent / name, book.write()
        if "--check" in sys.argv[1:]:
            wrong += [name] if not path.exists() or path.read_text() != text else []
        else:
            path.write_text(text)
        print(f"{name}: {len(book.vectors)} vectors, {len(text)} octets")
    if wrong:
        sys.exit(f"not what make.py writes: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
