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

    def follows(self, word):
        """Whether SP and this word come next; they are taken then."""
        found = re.compile(f" {word}(?![0-9A-Za-z])").match(self.text, self.at)
        if found:
            self.at = found.end()
        return found is not None

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


def some(text, item):
    """A list that is not empty."""
    items = listed(text, item)
    if not items:
        raise Refused("an empty list")
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
    if text.follows("CONN_NOT_AVAIL"):
        some(text, name)
    text.take(r" STATE(?= )")
    state(text)
    if text.follows("RESTRICT"):
        restrictions(text)
    text.take(r" \)")


def restrictions(text):
    text.take(r" \(")
    parts = [("SIZE", lambda text: number(text, 2**64)), ("PRIORITY", lambda text: some(text, priority)),
             ("ALLOW", lambda text: some(text, sender)), ("DENY", lambda text: some(text, sender))]
    said = 0
    for word, part in parts:
        if text.follows(word):
            part(text)
            said += 1
    if said == 0:
        raise Refused("restrictions that restrict nothing")
    text.take(r" \)")


def priority(text):
    text.take(r" (LOW|NORMAL|HIGH)(?![0-9A-Za-z])")


def sender(text):
    text.take(r" [0-9a-f]{16}(?![0-9a-zA-Z])")


def state(text):
    text.take(r" (UP|DOWN)(?![0-9A-Za-z])")


def version(text):
    term(text)
    for _ in range(3):
        number(text, 2**32)


def uuid(text):
    return text.take(r" [0-9a-f]{32}(?![0-9a-zA-Z])")[1:]


def sha256(text):
    text.take(r" [0-9a-f]{64}(?![0-9a-zA-Z])")


def record(text):
    text.take(r" \((?= )")
    uuid(text)
    name(text)
    version(text)
    listed(text, member)
    listed(text, connector)
    if text.follows("DELETED"):
        name(text)
    if text.follows("LIFETIME"):
        lifetime(text)
    if text.follows("EXITS"):
        some(text, leaving)
    text.take(r" \)")


def leaving(text):
    """An exit."""
    name(text)
    text.take(r" \( SPACES(?= )")
    some(text, name)
    text.take(r" COST(?= )")
    if not 1 <= number(text, 2**32) <= 100:
        raise Refused("a cost beyond 1 to 100")
    text.take(r" BH(?= )")
    some(text, name)
    if text.follows("SCOPE"):
        text.take(r" GROUP(?= )")
    if text.follows("RESTRICT"):
        restrictions(text)
    text.take(r" \)")


def lifetime(text):
    """LS-154: what is not said is 86,400 s, so that one lifetime has one form."""
    seconds = number(text, 2**32)
    if not 60 <= seconds <= 2_592_000 or seconds == 86_400:
        raise Refused("a lifetime that nobody says")


def node(text):
    text.take(r" \( (-|[0-9a-f]{1,16})(?= )")
    if text.follows("INNER"):
        for _ in range(16):
            sha256(text)
    elif text.follows("LEAF"):
        uuids = listed(text, entry)
        if len(uuids) > 16 or any(one >= other for one, other in zip(uuids, uuids[1:])):
            raise Refused("no leaf")
    else:
        raise Refused("neither inner node nor leaf")
    text.take(r" \)")


def entry(text):
    which = uuid(text)
    version(text)
    sha256(text)
    return which


def element(text):
    verb = text.take(r" (NEWS|MERGED)(?= )")[1:]
    sha256(text)
    records = len(listed(text, record))
    if text.text.startswith(" (", text.at) and len(some(text, node)) > 512:
        raise Refused("too many nodes")
    return verb, records


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
    text.take(r" (UP|DOWN|HELD)(?![0-9A-Za-z])")


def spoken(text):
    """A version and features."""
    if number(text, 2**32) == 0:
        raise Refused("no version")
    features = listed(text, counted)
    if len(features) > 16 or any(one >= other for one, other in zip(features, features[1:])):
        raise Refused("features in another order, or too many")
    if not all(re.fullmatch("[a-z0-9-]{1,32}", feature) for feature in features):
        raise Refused("no feature")


def standing(text):
    text.take(r" (FRONTEND|BACKEND|-) (LOCAL-FOR-OTHERS|LOCAL|REMOTE)(?= )")
    if not 1 <= number(text, 2**32) <= 100:
        raise Refused("a weight beyond 1 to 100")
    number(text, 2**32)


def of_list(text):
    term(text)
    if number(text, 2**64) == 0:
        raise Refused("no list")


def heartbeat(text):
    spoken(text)
    standing(text)
    text.take(r" (SERVES|DRAINS)(?![0-9A-Za-z])")
    if text.text.startswith(" -", text.at):
        text.take(" -")
    else:
        of_list(text)


def in_order(names):
    if not 1 <= len(names) <= 64 or any(one >= other for one, other in zip(names, names[1:])):
        raise Refused("members in another order, none, or too many")


def in_list(text):
    who = name(text)
    text.take(r" (ACTIVE|DRAINING|AWAY)(?![0-9A-Za-z])")
    standing(text)
    if text.text.startswith(" -", text.at):
        text.take(" -")
    else:
        spoken(text)
    return who


def members(text):
    of_list(text)
    spoken(text)
    in_order(listed(text, in_list))


def loaded(text):
    who = name(text)
    number(text, 2**32)
    return who


def loads(text):
    of_list(text)
    in_order(listed(text, loaded))
ELECTED_LIMIT = 2**64 - 3  # of the counter of a term that another one can follow


def elected(text):
    if number(text, 2**64) > ELECTED_LIMIT:
        raise Refused("no term could follow")
    name(text)
    number(text, 2**64)


def or_none(text, reads):
    """What `reads` takes, or SP and `-`."""
    if text.text.startswith(" -", text.at):
        text.take(" -")
    else:
        reads(text)


def holding(text, seen):
    account(text, seen)
    elected(text)
    if number(text, 2**64) == 0:
        raise Refused("no grant has the number 0")


def taken(text, seen):
    account(text, seen)
    or_none(text, name)


def account(text, seen):
    before = text.at
    address(text)
    seen.append(text.text[before : text.at])
    if len(set(seen)) != len(seen) or len(seen) > 1_000:
        raise Refused("an account twice, or too many")


def accounts(text, *lists):
    """Lists that name 1 to 1,000 accounts together, each once."""
    seen = []
    for reads in lists:
        listed(text, lambda text: reads(text, seen))
    if not seen:
        raise Refused("no account")


def account_lease(text):
    if not 1 <= number(text, 2**64) <= 300:
        raise Refused("a lease is 1 to 300 seconds")


def claim(text):
    number(text, 2**64)
    elected(text)
    account_lease(text)
    accounts(text, account)


def renew(text):
    number(text, 2**64)
    elected(text)
    account_lease(text)
    accounts(text, holding)


def given_back(text):
    elected(text)
    accounts(text, holding)


def leased(text):
    number(text, 2**64)
    accounts(text, holding, taken)


def declined(text):
    number(text, 2**64)
    or_none(text, elected)


GROUP = {
    "HEARTBEAT": heartbeat,
    "MEMBERS": members,
    "LOADS": loads,
    "NODEINFO": nodeinfo,
    "ATTACH": name,
    "CONSULT": name,
    "REPORT": lambda text: listed(text, stated),
    "REPORTED": term,
    "VERIFY": question,
    "VERIFIED": lambda text: number(text, 2**32),
    "REFUSED": refusal,
    "CLAIM": claim,
    "RENEW": renew,
    "RETURN": given_back,
    "LEASED": leased,
    "DECLINED": declined,
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
