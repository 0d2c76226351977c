"""Records: each token of one missing, doubled, out of order, of another kind, out of range; on either port."""

import additions
import exits
from book import HELLO, ZERO, frame, message
from chunks import BEGUN, chunk
from grammar import group_frame, has, message_of_client

ATTACHED = [frame(" ATTACH {5}rg1-c\r\n")]
# The tokens of a record, one SP between any two, and what each of them is called.
UUID = "00000000000000000000000000000002"
TOKENS = [
    ("(", "the opening of the record"), (UUID, "the uuid"), ("{3}RG2", "the group"), ("1", "the counter"),
    ("{5}rg2-a", "the member of the term"), ("1", "the nonce"), ("1", "the major number"), ("0", "the minor number"), ("0", "the user number"),
    ("(", "the opening of the members"), ("{5}rg2-a", "the member"), ("YES", "the attachment"), (")", "the closing of the members"),
    ("(", "the opening of the connectors"), ("{7}RG2-RG1", "the connector"), ("(", "the opening of the connector"),
    ("CONFIG", "CONFIG"), ("{3}RG1", "the target group"), ("a", "the cost"), ("BH", "BH"),
    ("(", "the opening of the sources"), ("{5}rg2-a", "the source"), (")", "the closing of the sources"),
    ("STATE", "STATE"), ("UP", "the state"), (")", "the closing of the connector"), (")", "the closing of the connectors"),
    (")", "the closing of the record"),
]
TEXTS = [token for token, _ in TOKENS]
PLACE = {name: place for place, (_, name) in enumerate(TOKENS)}
PLAIN = " ".join(TEXTS)
NUMBERS = {"the counter": 64, "the nonce": 64, "the major number": 32, "the minor number": 32, "the user number": 32}
NAMES = ["the group", "the member of the term", "the member", "the connector", "the target group", "the source"]
LISTS = {"the members": ("the opening of the members", "the closing of the members"),
         "the connectors": ("the opening of the connectors", "the closing of the connectors"),
         "the sources": ("the opening of the sources", "the closing of the sources")}


def with_token(name, text):
    tokens = list(TEXTS)
    tokens[PLACE[name]] = text
    return " ".join(tokens)


def with_list(name, text):
    start, end = (PLACE[which] for which in LISTS[name])
    return " ".join([*TEXTS[:start], text, *TEXTS[end + 1:]])


def shapes():
    """Every token where it does not belong: why, and the record."""
    for place, (token, name) in enumerate(TOKENS):
        front, behind = TEXTS[:place], TEXTS[place + 1:]
        yield f"without {name}", " ".join(front + behind)
        yield f"with {name} twice", " ".join([*front, token, token, *behind])
        if place + 1 < len(TOKENS) and token != TEXTS[place + 1]:
            yield f"with {name} behind {TOKENS[place + 1][1]}", " ".join([*front, TEXTS[place + 1], token, *behind[1:]])
        if place > 0:
            head, tail = " ".join(front), " ".join(TEXTS[place:])
            yield f"with no space before {name}", head + tail
            yield f"with two spaces before {name}", head + "  " + tail
            yield f"with a TAB before {name}", head + "\t" + tail


def kinds():
    """Another kind of token in the place of each."""
    for token, name in TOKENS:
        if token.startswith("{"):
            others = [("as a number", "1"), ("not counted", token[3:]), ("in quotes", f'"{token[3:]}"'), ("as a list", f"( {token} )")]
        elif token in ("(", ")"):
            others = [("in square brackets", "[" if token == "(" else "]"), ("turned round", ")" if token == "(" else "("),
                      ("in braces", "{" if token == "(" else "}")]
        elif token.isupper():
            others = [("in lower case", token.lower()), ("counted", f"{{{len(token):x}}}{token}"), ("longer by a letter", token + "S"),
                      ("shorter by a letter", token[:-1]), ("as a number", "1")]
        elif token == UUID:
            others = [("counted", "{20}" + token), ("in upper case", "A" * 32), ("with a g", token[1:] + "g"), ("of 31 digits", token[1:]),
                      ("of 33 digits", "0" + token), ("with dashes", "00000000-0000-0000-0000-000000000002"), ("in braces", "{" + token + "}"),
                      ("of 16 digits", token[16:]), ("of 64 digits", token + token)]
        else:
            others = [("counted", f"{{1}}{token}"), ("as a list", f"( {token} )"), ("as YES", "YES")]
        for how, other in others:
            yield f"with {name} {how}", with_token(name, other)


def numbers():
    for name, bits in NUMBERS.items():
        greatest = (1 << bits) - 1
        if name == "the counter":
            yield "with a counter that nobody can outbid", with_token(name, f"{greatest:x}")
            greatest -= 1
        yield f"with {name} of 0", with_token(name, "0")
        yield f"with {name} as great as it can be", with_token(name, f"{greatest:x}")
        yield f"with {name} one too great", with_token(name, f"1{'0' * (bits // 4)}")
        yield f"with {name} of 40 digits", with_token(name, "f" * 40)
        for how, text in [("with a leading zero", "01"), ("of two zeros", "00"), ("in upper case", "A"), ("with a g", "g"), ("with a plus", "+1"),
                          ("with a minus", "-1"), ("with a prefix", "0x1"), ("with a point", "1.0"), ("with a suffix", "1h")]:
            yield f"with {name} {how}", with_token(name, text)
    for how, text in [("of 0", "0"), ("of 1", "1"), ("of 100", "64"), ("of 101", "65"), ("of 256", "100"), ("of 2^32", "100000000"), ("of 2^32 + 1", "100000001"),
                      ("with a leading zero", "0a"), ("in upper case", "A"), ("with a minus", "-1"), ("with a point", "1.0"), ("with a plus", "+a"),
                      ("of no number", "inf"), ("of 2^64 + 10", "1000000000000000a")]:
        yield f"with a cost {how}", with_token("the cost", text)


def names():
    for name in NAMES:
        text = TEXTS[PLACE[name]]
        length, plain = int(text[1]), text[3:]
        for how, other in [
            ("with a count one too small", f"{{{length - 1}}}{plain}"), ("with a count one too great", f"{{{length + 1}}}{plain}"),
            ("with a count of 0", f"{{0}}{plain}"), ("with a count of more than is there", f"{{fff}}{plain}"), ("with a count of 32 bits", f"{{ffffffff}}{plain}"),
            ("with a count of 32 bits and the length", f"{{10000000{length}}}{plain}"), ("with a count of 64 bits and the length", f"{{1{'0' * 15}{length}}}{plain}"),
            ("with a negative count", f"{{-{length}}}{plain}"), ("with a leading zero in the count", f"{{0{length}}}{plain}"),
            ("with eight digits in the count", f"{{0000000{length}}}{plain}"), ("with a g in the count", f"{{g}}{plain}"), ("without a count", f"{{}}{plain}"),
            ("without the opening brace", f"{length}}}{plain}"), ("without the closing brace", f"{{{length}{plain}"), ("with round brackets", f"({length}){plain}"),
            ("with a space behind the count", f"{{{length}}} {plain[1:]}"), ("with a space in the count", f"{{{length} }}{plain}"),
            ("with a count in upper case", "{A}0123456789"), ("with a bare plus", "{3}a+b"), ("with a plus at the end", "{2}a+"), ("with half an escape", "{4}a+2b"[:6] + "x"),
            ("with an escape in lower case", "{5}a+2bc"), ("with an escape without need", "{4}a+41"), ("with an escape of no digits", "{5}a+ZZb"), ("with a bare equals", "{3}a=b"),
            ("with a bare space", "{3}a b"), ("with an escaped digit", "{3}+31"),
        ]:
            yield f"with {name} {how}", with_token(name, other)
    for name in ["the member", "the source", "the connector", "the member of the term"]:
        for how, other in [("with an escaped plus", "{5}a+2Bb"), ("with an escaped equals", "{5}a+3Db"), ("with an escaped space", "{5}a+20b"), ("of ten letters", "{a}abcdefghij"),
                           ("with an escaped letter beyond ASCII", "{6}+C3+A4"), ("of 255 letters", "{ff}" + "a" * 255)]:
            yield f"with {name} {how}", with_token(name, other)


def lists():
    one = " ".join(TEXTS[PLACE["the connector"]:PLACE["the closing of the connectors"]])
    member, source = "{5}rg2-a YES", "{5}rg2-a"
    for name, item in [("the members", member), ("the connectors", one), ("the sources", source)]:
        yield f"with {name} empty", with_list(name, "()")
        for how, text in [("empty with a space", "( )"), ("empty with two spaces", "(  )"), ("not opened", f"{item} )"), ("not closed", f"( {item}"), ("closed without a space", f"( {item})"),
                          ("opened without a space", f"({item} )"), ("in a second list", f"( ( {item} ) )"), ("with an empty list in it", "( () )"), ("with a comma behind the first", f"( {item}, {item} )"),
                          ("in square brackets", f"[ {item} ]"), ("as a number", "0"), ("twice", f"( {item} ) ( {item} )")]:
            yield f"with {name} {how}", with_list(name, text)
    yield "with two members", with_list("the members", "( {5}rg2-a YES {5}rg2-b NO )")
    yield "with 64 members", with_list("the members", "( " + " ".join(f"{{3}}m{n:02} NO" for n in range(64)) + " )")
    yield "with a member that is attached and not", with_list("the members", "( {5}rg2-a YES NO )")
    yield "with a member that is neither", with_list("the members", "( {5}rg2-a MAYBE )")
    yield "with an attachment before the member", with_list("the members", "( YES {5}rg2-a )")
    yield "with two members of which one says nothing", with_list("the members", "( {5}rg2-a YES {5}rg2-b )")
    yield "with two sources", with_list("the sources", "( {5}rg2-a {5}rg2-b )")
    yield "with a source that is attached", with_list("the sources", "( {5}rg2-a YES )")
    for how, text in [("HALF", "HALF"), ("Up in mixed case", "Up"), ("down in lower case", "down"), ("DOWN and UP", "DOWN UP"), ("UPDOWN", "UPDOWN"), ("TRUE", "TRUE"), ("0", "0")]:
        yield f"with the state {how}", with_token("the state", text)
    yield "with a connector that is DOWN", with_token("the state", "DOWN")
    other = one.replace("RG2-RG1", "RG2-RG3").replace("{3}RG1", "{3}RG3")
    yield "with two connectors", with_list("the connectors", f"( {one} {other} )")
    for key in ["BOGUS", "TARGBH", "ARROWS"]:
        yield f"with the key {key}", with_token("CONFIG", key)
        yield f"with the key {key} for BH", with_token("BH", key)
        yield f"with the key {key} for STATE", with_token("STATE", key)


def unmerged():
    """LS-005: the grammar has it, and no table takes it; the answer comes all the same."""
    one = " ".join(TEXTS[PLACE["the connector"]:PLACE["the closing of the connectors"]])
    other = one.replace("RG2-RG1", "RG2-RG3").replace("{3}RG1", "{3}RG3")
    yield "with connectors out of order", with_list("the connectors", f"( {other} {one} )")
    yield "with one connector twice", with_list("the connectors", f"( {one} {one} )")
    yield "with a connector to its own group", with_token("the target group", "{3}RG2")
    yield "with 65 members", with_list("the members", "( " + " ".join(f"{{3}}m{n:02} NO" for n in range(65)) + " )")


def several():
    second = PLAIN.replace(UUID, UUID[:-1] + "3").replace("RG2", "RG3").replace("rg2", "rg3")
    for why, rest in [
        ("two records", f"( {PLAIN} {second} )"), ("one record twice", f"( {PLAIN} {PLAIN} )"), ("records out of the order of their groups", f"( {second} {PLAIN} )"),
        ("a record without a space in front", f"({PLAIN} )"), ("a record without a space behind", f"( {PLAIN})"), ("two records with two spaces between", f"( {PLAIN}  {second} )"),
        ("two records with no space between", f"( {PLAIN}{second} )"), ("two records with a comma between", f"( {PLAIN}, {second} )"), ("an empty list behind a record", f"( {PLAIN} () )"),
        ("a record of which half is there", f"( {PLAIN[:90]} )"), ("a record behind the list", f"( {PLAIN} ) {PLAIN}"), ("a record without a list", PLAIN), ("two lists", f"( {PLAIN} ) ( {second} )"),
        ("a record with a number behind it", f"( {PLAIN} 1 )"), ("a record with a name behind it", f"( {PLAIN} {{3}}RG2 )"), ("a count of the records", f"1 ( {PLAIN} )"),
    ]:
        yield why, rest


def all_records():
    yield "a plain record", f"( {PLAIN} )"
    for part in [shapes, kinds, numbers, names, lists]:
        for why, record in part():
            yield f"a record {why}", f"( {record} )"
    yield from several()
    yield from additions.records()
    yield from exits.records()


def all_unmerged():
    for why, record in unmerged():
        yield ["LS-005", "LS-012"], why, record
    for clause, why, record in [*additions.unmerged(), *exits.unmerged()]:
        yield [clause, "LS-012"], why, record


def clauses(why):
    """What the vector of a record is about, beside the port on which it stands."""
    if "lifetime" in why or "LIFETIME" in why:
        return ["WI-102", "LS-154"]
    if "node" in why or "leaf" in why or "prefix" in why:
        return ["WI-101"]
    if "exit" in why.lower():
        return ["WI-102", "LS-210"] if "scope" in why.lower() else ["WI-102", "LS-211"]
    return ["WI-103"] if "escape" in why else ["WI-102"]


def on_smtp(book):
    for why, rest in all_records():
        text = message(f" NEWS {ZERO} {rest}")
        line = chunk("LAST", text)
        if len(line) > 1_022:
            continue
        book.add(why, line, bool(has(message_of_client, text)) and "\t" not in text, clauses(why), HELLO + BEGUN)
    for verified, why, record in all_unmerged():
        text = message(f" NEWS {ZERO} ( {record} )")
        if len(text) < 1_000:
            assert has(message_of_client, text)
            book.add(f"a record {why}", chunk("LAST", text), True, verified, HELLO + BEGUN)


def on_the_group_port(book):
    """The same decoder stands behind both ports as a rule: here one of each kind, whose refusal ends the connection."""
    taken = ["without ", " twice", "too great", "as great as", "leading zero", "cost", "count one too", "state", "empty", "not closed", "two records", "64 members",
             "in lower case", "escape in lower case", "escaped plus", "a plain record", "of 31 digits", "of 33 digits", "node", "leaf", "prefix", "lifetime", "tombstone", "everything"]
    for why, rest in all_records():
        if exits.is_for_the_group_port(why) if "exit" in why.lower() else any(part in why for part in taken):
            octets = frame(f" NEWS {ZERO} {rest}\r\n")
            book.add(f"{why}", octets, has(group_frame, octets) is not None and "\t" not in octets, [clauses(why)[0], "WI-110"], ATTACHED,
                     reply="MERGED" if has(group_frame, octets) else "closed")
    for verified, why, record in all_unmerged():
        octets = frame(f" NEWS {ZERO} ( {record} )\r\n")
        assert has(group_frame, octets)
        book.add(f"a record {why}", octets, True, verified, ATTACHED, reply="MERGED")
