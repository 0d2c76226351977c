"""What may stand in a record and beside records, and need not: members that are not available, restrictions, why a
group was deleted, a lifetime; and the nodes by which tables are compared."""

from book import ZERO

UUID = "0000000000000000000000000000000"
VERSION = "1 {5}rg2-a 1 1 0 0"
HEAD = f"( {UUID}2 {{3}}RG2 {VERSION} ( {{5}}rg2-a YES {{5}}rg2-b YES )"
# The tokens of a record with all of it; those with a name are what is tested here.
TOKENS = [
    (f"{HEAD} ( {{7}}RG2-RG1 ( CONFIG {{3}}RG1 a BH ( {{5}}rg2-a {{5}}rg2-b )", ""),
    ("CONN_NOT_AVAIL", "CONN_NOT_AVAIL"), ("(", "the opening of the unavailable"), ("{5}rg2-b", "the unavailable member"), (")", "the closing of the unavailable"),
    ("STATE UP", ""),
    ("RESTRICT", "RESTRICT"), ("(", "the opening of the restrictions"), ("SIZE", "SIZE"), ("400", "the size"),
    ("PRIORITY", "PRIORITY"), ("(", "the opening of the priorities"), ("LOW", "the priority"), (")", "the closing of the priorities"),
    ("ALLOW", "ALLOW"), ("(", "the opening of those allowed"), ("000000000000000a", "the sender allowed"), (")", "the closing of those allowed"),
    ("DENY", "DENY"), ("(", "the opening of those denied"), ("24295a9c545a402d", "the sender denied"), (")", "the closing of those denied"),
    (")", "the closing of the restrictions"),
    (") )", ""),
    ("DELETED", "DELETED"), ("{5}moved", "the reason"), ("LIFETIME", "LIFETIME"), ("258", "the lifetime"),
    (")", ""),
]
TEXTS = [token for token, _ in TOKENS]
PLACE = {name: place for place, (_, name) in enumerate(TOKENS) if name}
FULL = " ".join(TEXTS)
LISTS = ["unavailable", "priorities", "those allowed", "those denied"]


def with_parts(**parts):
    """A plain record with these additions, each in its place."""
    def part(key):
        return " " + parts[key] if key in parts else ""
    state = parts.get("state", "UP")
    connector = f"{{7}}RG2-RG1 ( CONFIG {{3}}RG1 a BH ( {{5}}rg2-a {{5}}rg2-b ){part('unavailable')} STATE {state}{part('restrict')} )"
    return f"{HEAD} ( {connector} ){part('behind')} )"


def shapes():
    """Each token where it does not belong."""
    for place, (token, name) in enumerate(TOKENS):
        if not name:
            continue
        front, behind = TEXTS[:place], TEXTS[place + 1:]
        yield f"without {name}", " ".join(front + behind)
        yield f"with {name} twice", " ".join([*front, token, token, *behind])
        if TOKENS[place + 1][1] and TEXTS[place + 1] != token:
            yield f"with {name} behind {TOKENS[place + 1][1]}", " ".join([*front, TEXTS[place + 1], token, *behind[1:]])
        yield f"with no space before {name}", " ".join(front) + " ".join(TEXTS[place:])
        yield f"with two spaces before {name}", " ".join(front) + "  " + " ".join(TEXTS[place:])
        if token.isalpha() and token.isupper() or "_" in token:
            for how, other in [("in lower case", token.lower()), ("longer by a letter", token + "S"), ("shorter by a letter", token[:-1]), ("counted", f"{{{len(token):x}}}{token}")]:
                yield f"with {name} {how}", " ".join([*front, other, *behind])
    for name in LISTS:
        start, end = PLACE[f"the opening of {name if name.startswith('those') else 'the ' + name}"], PLACE[f"the closing of {name if name.startswith('those') else 'the ' + name}"]
        for how, text in [("empty", "()"), ("empty with a space", "( )"), ("in a second list", f"( ( {TEXTS[start + 1]} ) )"), ("as a number", "0")]:
            yield f"with a list of {name} {how}", " ".join([*TEXTS[:start], text, *TEXTS[end + 1:]])


def ids(*numbers):
    return " ".join(f"{number:016x}" for number in numbers)


def values():
    """Each addition alone, its limits, and one over."""
    yield "with everything that it may have", FULL
    for how, text in [("alone", "CONN_NOT_AVAIL ( {5}rg2-b )"), ("twice over", "CONN_NOT_AVAIL ( {5}rg2-b ) CONN_NOT_AVAIL ( {5}rg2-b )"), ("of a number", "CONN_NOT_AVAIL ( 1 )"),
                      ("in the word of Exchange", "CONN_AVAIL ( {5}rg2-b )"), ("with YES", "CONN_NOT_AVAIL ( {5}rg2-b YES )")]:
        yield f"with the unavailable {how}", with_parts(unavailable=text)
    yield "with the unavailable behind the state", with_parts(restrict="CONN_NOT_AVAIL ( {5}rg2-b )")
    yield "with restrictions before the state", with_parts(unavailable="RESTRICT ( SIZE 400 )")
    parts = ["SIZE 400", "PRIORITY ( LOW HIGH )", f"ALLOW ( {ids(10)} )", f"DENY ( {ids(11)} )"]
    for place, part in enumerate(parts):
        word = part.split(" ")[0]
        yield f"with {word} alone", with_parts(restrict=f"RESTRICT ( {part} )")
        yield f"with {word} said twice", with_parts(restrict=f"RESTRICT ( {part} {part} )")
        for later in parts[place + 1:]:
            yield f"with {later.split(' ')[0]} in front of {word}", with_parts(restrict=f"RESTRICT ( {later} {part} )")
    for how, text in [("empty", "RESTRICT ()"), ("empty with a space", "RESTRICT ( )"), ("said twice", "RESTRICT ( SIZE 400 ) RESTRICT ( SIZE 400 )"), ("of another kind", "RESTRICT ( HOPS 4 )"), ("behind which one stands", "RESTRICT ( SIZE 400 ) SIZE 400")]:
        yield f"with restrictions {how}", with_parts(restrict=text)
    for how, text in [("of 0", "0"), ("as great as it can be", "f" * 16), ("one too great", "1" + "0" * 16), ("with a leading zero", "0400"), ("in upper case", "4A"), ("with a minus", "-1"), ("without a number", "inf")]:
        yield f"with a size {how}", with_parts(restrict=f"RESTRICT ( SIZE {text} )")
    for how, text in [("of all three", "LOW NORMAL HIGH"), ("that is none", "URGENT"), ("in lower case", "low"), ("as a number", "1"), ("with a comma", "LOW, HIGH")]:
        yield f"with a priority {how}", with_parts(restrict=f"RESTRICT ( PRIORITY ( {text} ) )")
    for word in ["ALLOW", "DENY"]:
        for how, text in [("of 15 digits", "0" * 14 + "a"), ("of 17 digits", "0" * 16 + "a"), ("in upper case", "0" * 15 + "A"), ("with a g", "0" * 15 + "g"), ("counted", "{10}" + ids(10)), ("as an address", "ann@example.test"), ("of the greatest number", "f" * 16), ("of 0", "0" * 16)]:
            yield f"with {word} and an id {how}", with_parts(restrict=f"RESTRICT ( {word} ( {text} ) )")
        yield f"with {word} and 16 ids", with_parts(restrict=f"RESTRICT ( {word} ( {ids(*range(16))} ) )")
    for how, text in [("of 59 s", "3b"), ("of 60 s", "3c"), ("of 30 days", "278d00"), ("of 30 days and a second", "278d01"), ("of a day", "15180"), ("of a day and a second", "15181"), ("of 0 s", "0"),
                      ("with a leading zero", "0258"), ("in upper case", "25A"), ("of 2^32 and 600 s", "100000258"), ("with a minus", "-258"), ("counted", "{3}258"), ("of two numbers", "258 258")]:
        yield f"with a lifetime {how}", with_parts(behind=f"LIFETIME {text}")
    yield "with a lifetime said twice", with_parts(behind="LIFETIME 258 LIFETIME 258")
    yield "with a lifetime in front of the reason", with_parts(behind="LIFETIME 258 DELETED {5}moved")
    yield "with a reason said twice", with_parts(behind="DELETED {5}moved DELETED {5}moved")
    for how, text in [("alone", "{5}moved"), ("of no letters", "{0}"), ("with an escaped space", "{8}so+20far"), ("with a bare space", "{6}so far"), ("with an escape without need", "{4}a+41"), ("with an escape in lower case", "{5}a+2bc"),
                      ("with a count one too great", "{6}moved"), ("with a count one too small", "{4}moved"), ("without a count", "moved"), ("of 400 letters", "{190}" + "x" * 400)]:
        yield f"with a reason {how}", with_parts(behind=f"DELETED {text}")


def tombstones():
    """LS-130."""
    def buried(reason="{5}moved", version="ffffffffffffffff {5}rg9-a 0 0 0 0", rest="() ()"):
        return f"( {UUID}9 {{3}}RG9 {version} {rest} DELETED {reason} )"
    yield "that is a tombstone", buried()
    yield "that is a tombstone without a reason", buried(reason="{0}")
    yield "that is a tombstone with the reason as a list", buried(reason="( {5}moved )")
    yield "that is a tombstone without its lists", buried(rest="")
    yield "that is a tombstone with a counter one greater", buried(version="10000000000000000 {5}rg9-a 0 0 0 0")


def unmerged():
    """LS-105, LS-131, LS-173: the grammar has it, and no table takes it."""
    yield "LS-105", "with an unavailable member that is no source", with_parts(unavailable="CONN_NOT_AVAIL ( {5}rg2-c )")
    yield "LS-105", "with all its sources unavailable", with_parts(unavailable="CONN_NOT_AVAIL ( {5}rg2-a {5}rg2-b )")
    yield "LS-105", "with an unavailable member named twice", with_parts(unavailable="CONN_NOT_AVAIL ( {5}rg2-b {5}rg2-b )")
    yield "LS-105", "with an unavailable member while it is DOWN", with_parts(unavailable="CONN_NOT_AVAIL ( {5}rg2-b )", state="DOWN")
    yield "LS-173", "with priorities out of order", with_parts(restrict="RESTRICT ( PRIORITY ( HIGH LOW ) )")
    yield "LS-173", "with one priority twice", with_parts(restrict="RESTRICT ( PRIORITY ( LOW LOW ) )")
    for word in ["ALLOW", "DENY"]:
        yield "LS-173", f"with ids out of order behind {word}", with_parts(restrict=f"RESTRICT ( {word} ( {ids(2, 1)} ) )")
        yield "LS-173", f"with one id twice behind {word}", with_parts(restrict=f"RESTRICT ( {word} ( {ids(1, 1)} ) )")
        yield "LS-173", f"with 17 ids behind {word}", with_parts(restrict=f"RESTRICT ( {word} ( {ids(*range(17))} ) )")
    dead = "ffffffffffffffff {5}rg9-a 0 0 0 0"
    for why, version, rest, reason in [
        ("of a tombstone with the version of a record", VERSION, "() ()", "{5}moved"), ("of a tombstone with a nonce", dead.replace("a 0", "a 1", 1), "() ()", "{5}moved"), ("of a tombstone with a major number", dead.replace("a 0 0", "a 0 1"), "() ()", "{5}moved"),
        ("of a tombstone with members", dead, "( {5}rg9-a YES ) ()", "{5}moved"), ("of a tombstone with a control in its reason", dead, "() ()", "{5}a+07b"), ("of a tombstone with a reason of 401 octets", dead, "() ()", "{191}" + "x" * 401),
    ]:
        yield "LS-131", why, f"( {UUID}9 {{3}}RG9 {version} {rest} DELETED {reason} )"


def entry(digit, digest=ZERO):
    return f"{UUID}{digit} {VERSION} {digest}"


def leaf(prefix="-", *entries):
    return f"( {prefix} LEAF ( {' '.join(entries)} ) )" if entries else f"( {prefix} LEAF () )"


def inner(prefix="-", count=16, digest=ZERO):
    return f"( {prefix} INNER{(' ' + digest) * count} )"


def nodes():
    """Lists of nodes behind the records: WI-101."""
    one = entry("2")
    listed = [f"0000000000000000000000000000{n:04x} {VERSION} {ZERO}" for n in range(17)]
    for why, text in [
        ("an empty leaf", leaf()), ("a leaf with a record", leaf("-", one)), ("a leaf with two records", leaf("-", one, entry("3"))), ("a leaf with records out of order", leaf("-", entry("3"), one)), ("a leaf with one record twice", leaf("-", one, one)),
        ("a leaf with 16 records", leaf("-", *listed[:16])), ("a leaf with 17 records", leaf("-", *listed)), ("a leaf with a record without a digest", leaf("-", f"{UUID}2 {VERSION}")), ("a leaf with a record without a version", leaf("-", f"{UUID}2 {ZERO}")),
        ("a leaf with a record without a UUID", leaf("-", f"{VERSION} {ZERO}")), ("a leaf with a digest of 63 digits", leaf("-", entry("2", ZERO[1:]))), ("a leaf with a digest of 65 digits", leaf("-", entry("2", ZERO + "0"))), ("a leaf with a digest in upper case", leaf("-", entry("2", "A" * 64))),
        ("a leaf with a name behind the UUID", leaf("-", one.replace(" 1 ", " {3}RG2 1 ", 1))), ("a leaf with a space in the list", "( - LEAF ( ) )"), ("a leaf without a list", "( - LEAF )"), ("a leaf with two lists", "( - LEAF () () )"), ("a leaf in lower case", "( - leaf () )"),
        ("a leaf that is not closed", "( - LEAF ()"), ("a leaf without a prefix", "( LEAF () )"), ("a leaf with two prefixes", "( - 0 LEAF () )"), ("a leaf with the prefix behind it", "( LEAF - () )"), ("a node of another kind", "( - ROOT () )"), ("a node of no kind", "( - )"), ("an empty node", "()"),
        ("a prefix of one digit", leaf("a")), ("a prefix of 16 digits", leaf("0123456789abcdef")), ("a prefix of 17 digits", leaf("0123456789abcdef0")), ("a prefix in upper case", leaf("A")), ("a prefix with a g", leaf("g")), ("a prefix of two strokes", leaf("--")),
        ("a prefix with a stroke in front", leaf("-0")), ("a prefix that is counted", leaf("{1}a")), ("two nodes", f"{leaf('0')} {leaf('1')}"), ("one node twice", f"{leaf()} {leaf()}"), ("two nodes with a comma", f"{leaf('0')}, {leaf('1')}"),
        ("a leaf as a record has it", f"( - LEAF ( {FULL} ) )"),
        ("an inner node", inner()), ("an inner node of 15 children", inner(count=15)), ("an inner node of 17 children", inner(count=17)), ("an inner node without children", inner(count=0)), ("an inner node with a digest of 63 digits", inner(digest=ZERO[1:])),
        ("an inner node with a digest in upper case", inner(digest="A" * 64)), ("an inner node with its children in a list", f"( - INNER ({(' ' + ZERO) * 16} ) )"), ("an inner node in lower case", inner().replace("INNER", "inner")), ("an inner node of 16 digits", inner("0" * 16)),
        ("an inner node that is a leaf as well", inner()[:-2] + " LEAF () )"), ("512 nodes", " ".join([leaf("0")] * 512)), ("513 nodes", " ".join([leaf("0")] * 513)),
    ]:
        yield f"{why} behind no records", f"() ( {text} )"
    yield "a leaf behind a record", f"( {FULL} ) ( {leaf('-', one)} )"
    yield "a leaf in front of the records", f"( {leaf('-', one)} ) ()"
    yield "a leaf and no records", f"( {leaf('-', one)} )"
    yield "nodes in two lists", f"() ( {leaf('0')} ) ( {leaf('1')} )"
    yield "an empty list of nodes", "() ()"
    yield "a list of nodes with a space in it", "() ( )"
    yield "a list of nodes without a space in front", f"()( {leaf()} )"


def records():
    for part in [shapes, values, tombstones]:
        for why, record in part():
            yield f"a record {why}", f"( {record} )"
    yield from nodes()
