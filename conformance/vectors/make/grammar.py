"""A reading of the grammars of LINK STATE in spec/wire.md, so that what a vector expects is derived from the
specification and from nobody's answers. Each function takes text and says whether the grammar has it."""

import re

FRAME_LIMIT = 4_194_304
LINE_LIMIT = 1_022  # without CRLF


class Refused(Exception):
    """The grammar does not have it."""


class Text:
    """A text that is read from left to right."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def take(self, pattern):
        found = re.compile(pattern).match(self.text, self.at)
        if found is None:
            raise Refused(f"{pattern} at {self.at} of {self.text[:60]!r}")
        self.at = found.end()
        return found.group()

    def octets(self, count):
        if self.at + count > len(self.text):
            raise Refused("cut short")
        self.at += count
        return self.text[self.at - count : self.at]

    def end(self):
        if self.at != len(self.text):
            raise Refused(f"something behind: {self.text[self.at:][:40]!r}")


NUMBER = r"(0|[1-9a-f][0-9a-f]*)(?![0-9a-zA-Z])"


def number(text, limit):
    value = int(text.take(" " + NUMBER)[1:], 16)
    if value >= limit:
        raise Refused(f"{value:x} is too great")
    return value


def counted(text):
    text.take(" ")
    count = int(text.take(r"\{" + NUMBER + r"\}")[1:-1], 16)
    content = text.octets(count)
    if not all(" " <= c <= "~" for c in content):
        raise Refused("not printable")
    return content


def name(text):
    """WI-103."""
    content = counted(text)
    rest = re.sub(r"\+[0-9A-F]{2}", "", content)
    if re.search(r"[+= ]", rest):
        raise Refused("an octet that must be escaped")
    for escape in re.findall(r"\+([0-9A-F]{2})", content):
        if re.fullmatch(r"[!-~]", chr(int(escape, 16))) and chr(int(escape, 16)) not in "+=":
            raise Refused("an escape without need")
    return content


def frame(text, content):
    """A counted frame and the whole of what is in it."""
    count = int(text.take(r"\{[0-9a-fA-F]{8}\}")[1:-1], 16)
    if count > FRAME_LIMIT:
        raise Refused("longer than a frame may be")
    inside = Text(text.octets(count))
    value = content(inside)
    inside.end()
    return value


def listed(text, item):
    text.take(r" \(")
    items = []
    if text.text.startswith(")", text.at):
        text.take(r"\)")
        return items
    while True:
        items.append(item(text))
        if text.text.startswith(" )", text.at):
            text.take(r" \)")
            return items


def term(text):
    number(text, 2**64)
    name(text)
    number(text, 2**64)


def member(text):
    name(text)
    text.take(r" (YES|NO)(?![0-9A-Za-z])")


def connector(text):
    name(text)
    text.take(r" \( CONFIG(?= )")
    name(text)
    if not 1 <= number(text, 2**32) <= 100:
        raise Refused("a cost beyond 1 to 100")
    text.take(r" BH(?= )")
    listed(text, name)
    text.take(r" STATE(?= )")
    state(text)
    text.take(r" \)")


def state(text):
    text.take(r" (UP|DOWN)(?![0-9A-Za-z])")


def record(text):
    text.take(r" \( [0-9a-f]{32}(?![0-9a-zA-Z])")
    name(text)
    term(text)
    for _ in range(3):
        number(text, 2**32)
    listed(text, member)
    listed(text, connector)
    text.take(r" \)")


def element(text):
    verb = text.take(r" (NEWS|MERGED)(?= )")[1:]
    text.take(r" [0-9a-f]{64}(?![0-9a-zA-Z])")
    return verb, len(listed(text, record))


def multi(text):
    text.take(r" MULTI \(6\) \(")
    elements = []
    while text.text.startswith("{", text.at):
        elements.append(frame(text, element))
    text.take(r"\)")
    return elements


def message_of_client(text):
    """A message of X-LINK2STATE that a client may send: one element, a NEWS (SM-032)."""
    text = Text(text)
    elements = frame(text, multi)
    text.end()
    return len(elements) == 1 and elements[0][0] == "NEWS"


def exceeds(text):
    """Whether what has come of a message says already that it is too long (WI-031, WI-094)."""
    head = re.match(r"\{([0-9a-fA-F]{8})\}", text)
    return len(text) > FRAME_LIMIT or (head is not None and int(head[1], 16) > FRAME_LIMIT)


def address(text):
    if re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", name(text)) is None:
        raise Refused("no address")


def question(text):
    number(text, 2**32)
    if text.text.startswith(" RECIPIENT ", text.at):
        text.take(" RECIPIENT(?= )")
        address(text)
        number(text, 2**64)
    else:
        text.take(" SENDER(?= )")
        address(text)
        number(text, 2**64)
        number(text, 2**32)


def refusal(text):
    number(text, 2**32)
    code = text.take(r" [45][0-9]{2}(?= )")
    status = text.take(r" [45]\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})(?= )")
    if code[1] != status[1]:
        raise Refused("the status of another class")
    name(text)


def nodeinfo(text):
    text.take(r" \(6\)")
    if re.fullmatch(r"Version: 1 Bridgehead [A-Za-z0-9._-]{1,255} ready", counted(text)) is None:
        raise Refused("another greeting")


def stated(text):
    name(text)
    state(text)


GROUP = {
    "NODEINFO": nodeinfo,
    "ATTACH": name,
    "CONSULT": name,
    "REPORT": lambda text: listed(text, stated),
    "REPORTED": term,
    "VERIFY": question,
    "VERIFIED": lambda text: number(text, 2**32),
    "REFUSED": refusal,
}


def group_content(text):
    verb = re.match(r" ([A-Z]+)(?![0-9A-Za-z])", text.text[text.at :])
    verb = verb[1] if verb else None
    if verb in GROUP:
        text.take(" " + verb)
        GROUP[verb](text)
    else:
        verb, _ = element(text)
    text.take("\r\n")
    return verb


def group_frame(octets):
    """One frame of the group port: its verb."""
    text = Text(octets)
    verb = frame(text, group_content)
    text.end()
    return verb


def has(reads, text):
    """What `reads` makes of a text; `None` when the grammar does not have it."""
    try:
        return reads(text)
    except Refused:
        return None
