"""Files of vectors: what is written down, its twin, and how it is stored."""

import json
import re

SCHEMA = 2
ZERO = "0" * 64
HELLO = ["EHLO {ehlo}", "X-SUBMIT HELLO MEMBER={ehlo} STORE=5a5a5a5a5a5a5a5a"]


def frame(content):
    return f"{{{len(content):08x}}}{content}"


def counted(text):
    return f"{{{len(text):x}}}{text}"


def message(element):
    return frame(" MULTI (6) (" + frame(element) + ")")


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Book:
    """Vectors of one file."""

    def __init__(self, prefix, protocol, seat, port, replies):
        self.head = {"schema": SCHEMA, "protocol": protocol, "seat": seat, "port": port}
        self.prefix = prefix
        self.replies = replies
        self.vectors = []
        self.ids = set()
        self.said = set()

    def add(self, why, line, valid, verifies, before, reply=None, content=None, seat=None, twin=None):
        """One vector; `why` says in words what it tests, and its id is made of that. What stands there already is
        left out: another reason to say the same is no other test."""
        said = json.dumps([before, line, content, seat])
        if said in self.said:
            return
        self.said.add(said)
        ident = f"{self.prefix}-{slug(why)}"
        assert ident not in self.ids, f"{ident} stands twice"
        self.ids.add(ident)
        vector = {"id": ident, "flag": slug(why), "why": why, "verifies": verifies}
        if seat:
            vector["seat"] = seat
        vector["before"] = before
        vector["line"] = line
        if content is not None:
            vector["content"] = content
        vector["result"] = "valid" if valid else "invalid"
        vector["reply"] = reply or self.replies[0 if valid else 1]
        if twin:
            vector["twin"] = f"{self.prefix}-{slug(twin)}"
        self.vectors.append(vector)

    def find_twins(self):
        """Every vector with a refusal in it gets one without, which differs from it in one thing."""
        accepted = [v for v in self.vectors if v["result"] == "valid" and "seat" not in v]
        accepted = [v for v in accepted if not any(is_refused(line) for line in v["before"])]
        for vector in self.vectors:
            if vector["result"] == "valid" and not any(map(is_refused, vector["before"])):
                continue
            if "twin" in vector:
                continue
            near = [v for v in accepted if differences(v, vector) == 1]
            assert near, f"{vector['id']} has no twin"
            vector["twin"] = min(near, key=lambda v: distance(v["line"], vector["line"]))["id"]

    def write(self):
        self.find_twins()
        head = self.head | {"count": len(self.vectors)}
        lines = [json.dumps(head, ensure_ascii=False)[:-1] + ', "vectors": [']
        lines += [json.dumps(v, ensure_ascii=False) + "," for v in self.vectors]
        lines[-1] = lines[-1][:-1]
        return "\n".join(lines) + "\n]}\n"


def is_refused(line):
    return isinstance(line, str) and line.startswith("! ")


def said(line):
    return line if isinstance(line, dict) else line.removeprefix("! ")


def differences(one, other):
    strange = one.get("seat") != other.get("seat")
    before = [one["before"], other["before"]]
    if strange:
        before = [[said(line) for line in lines] for lines in before]
    return sum([strange, before[0] != before[1], one["line"] != other["line"]])


def distance(one, other):
    """How much of two lines is not the same at either end."""
    short = min(len(one), len(other))
    front = next((n for n in range(short) if one[n] != other[n]), short)
    back = next((n for n in range(short - front) if one[-1 - n] != other[-1 - n]), short - front)
    return max(len(one), len(other)) - front - back
