"""X-LINK2STATE: chunks in every state of the reassembly, their lines, and the frames that they carry."""

from book import HELLO, ZERO, Book, frame, message
from grammar import LINE_LIMIT, exceeds, has, message_of_client

QUERY = f" NEWS {ZERO} ()"
WHOLE = message(QUERY)
VERB = "X-LINK2STATE "
REASSEMBLY = ["WI-091", "WI-092", "WI-093"]

# What was said before: its name, the lines, and what a reassembly then holds (None outside a message).
FIRST, BEGUN = VERB + "FIRST CHUNK=", [VERB + "FIRST CHUNK="]
ATTACK = "! " + VERB + "CHUNK=" + "A" * 521
DONE = [VERB + "FIRST CHUNK=" + WHOLE, VERB + "LAST CHUNK="]
OFFER = f"! X-SUBMIT OFFER ID={{ehlo}}/0123456789abcdef/1 OFFER=1 ENVELOPE=9 BODY=9 DIGEST={ZERO}"
STATES = [
    ("nothing", [], None),
    ("FIRST", BEGUN, ""),
    ("FIRST and NEXT", [FIRST, VERB + "NEXT CHUNK="], ""),
    ("FIRST and an unmarked chunk", [FIRST, VERB + "CHUNK="], ""),
    ("FIRST with half of it", [FIRST + WHOLE[:50]], WHOLE[:50]),
    ("FIRST with all of it", [FIRST + WHOLE], WHOLE),
    ("a whole message", DONE, None),
    ("a refused NEXT", ["! " + VERB + "NEXT CHUNK="], None),
    ("a refused LAST", ["! " + VERB + "LAST CHUNK=" + WHOLE], None),
    ("the attack of MS05-021", [ATTACK], None),
    ("ten such attacks", [ATTACK] * 10, None),
    ("an attack behind a message", [*DONE, ATTACK], None),
    ("a message behind an attack", [ATTACK, *DONE], None),
    ("a second FIRST", [FIRST, "! " + FIRST], None),
    ("a message with a wrong count", [FIRST, "! " + VERB + "LAST CHUNK={00000001}xx"], None),
    ("a message of an unknown verb", [FIRST, "! " + VERB + "LAST CHUNK=" + message(" NOVA")], None),
    ("a chunk that is too long", [FIRST, "! " + VERB + "NEXT CHUNK=" + "A" * 1_000], None),
    ("a chunk with a control", [FIRST, "! " + VERB + "NEXT CHUNK=\x01"], None),
    ("a chunk without CHUNK=", [FIRST, "! " + VERB + "NEXT"], None),
    ("a count above the limit", ["! " + FIRST + "{00400001}"], None),
    ("NOOP inside a message", [FIRST, "NOOP"], ""),
    ("RSET inside a message", [FIRST, "RSET"], ""),
    ("VRFY inside a message", [FIRST, "VRFY ann"], ""),
    ("an unknown verb inside a message", [FIRST, "! XBOGUS"], ""),
    ("MAIL inside a message", [FIRST, "! MAIL FROM:<>"], ""),
    ("OFFER inside a message", [FIRST, OFFER], ""),
    ("EHLO inside a message", [FIRST, "EHLO {ehlo}"], ""),
    ("STATUS inside a message", [FIRST, "X-SUBMIT STATUS ID={ehlo}/0123456789abcdef/1"], ""),
    ("NOOP outside a message", ["NOOP"], None),
    ("RSET behind a message", [*DONE, "RSET"], None),
]
INPUTS = [
    ("an empty FIRST", "FIRST", ""),
    ("a FIRST with data", "FIRST", WHOLE[:10]),
    ("an empty NEXT", "NEXT", ""),
    ("a NEXT with data", "NEXT", WHOLE[:10]),
    ("an empty unmarked chunk", "", ""),
    ("an unmarked chunk of 521 octets", "", "A" * 521),
    ("an empty LAST", "LAST", ""),
    ("a LAST with all of it", "LAST", WHOLE),
    ("a LAST with the other half", "LAST", WHOLE[50:]),
]


def chunk(mark, data):
    return VERB + (mark + " " if mark else "") + "CHUNK=" + data


def verdict(held, mark, data):
    """What a receiver must say to a chunk when it holds this."""
    if (mark == "FIRST") != (held is None):
        return False
    held = (held or "") + data
    if exceeds(held):
        return False
    return mark != "LAST" or bool(has(message_of_client, held))


def states(book):
    for said, before, held in STATES:
        for what, mark, data in INPUTS:
            valid = verdict(held, mark, data)
            clause = ["WI-091"] if valid else ["WI-092"] if held is None else ["WI-093"]
            if mark == "LAST" and held is not None:
                clause = ["WI-091"] if valid else ["WI-032"]
            if any(line.startswith("! ") for line in before if isinstance(line, str)):
                clause = [*clause, "SM-031"]
            book.add(f"{what} after {said}", chunk(mark, data), valid, clause, HELLO + before)


def lengths(book):
    for length in [1, 255, 256, 257, 511, 512, 513, 519, 520, 522, 600, 700, 800, 1_000, 1_003]:
        line = chunk("", "A" * length)
        book.add(f"{length} unmarked octets inside a message", line, True, ["WI-091"], HELLO + BEGUN)
        book.add(f"{length} unmarked octets before FIRST", line, False, ["WI-092"], HELLO)
    for mark in ["NEXT", "LAST"]:
        for length in [520, 521, 900]:
            line = chunk(mark, "A" * length)
            why = f"{length} octets of {mark} before FIRST"
            twin = f"{length} octets of {mark} inside a message"
            if mark == "NEXT":
                book.add(twin, line, True, ["WI-091"], HELLO + BEGUN)
                book.add(why, line, False, ["WI-092"], HELLO)
            else:
                book.add(why, line, False, ["WI-092"], HELLO, twin="an empty FIRST after nothing")
    shapes = {"format directives": "%n%s%x" * 100, "opening braces": "{" * 600, "backslashes": "\\" * 600,
              "tildes": "~" * 600, "spaces": " " * 600, "keywords": "CHUNK=" * 100}
    for shape, data in shapes.items():
        book.add(f"{shape} unmarked inside a message", chunk("", data), True, ["WI-091"], HELLO + BEGUN)
        book.add(f"{shape} unmarked before FIRST", chunk("", data), False, ["WI-092"], HELLO)
    for mark, before in [("FIRST", []), ("NEXT", BEGUN), ("", BEGUN)]:
        word = mark or "unmarked"
        room = LINE_LIMIT - len(chunk(mark, ""))
        for over, why in [(-1, "one octet below the limit"), (0, "the longest"), (1, "one octet too long"),
                          (2, "two octets too long"), (978, "2,000 octets"), (3_074, "4,096 octets")]:
            book.add(f"a line of {word}, {why}", chunk(mark, "A" * (room + over)), over <= 0,
                     ["WI-090", "SM-030"], HELLO + before)


def octets(book):
    for mark, before in [("FIRST", []), ("NEXT", BEGUN), ("", BEGUN)]:
        word = mark or "unmarked"
        every = "".join(map(chr, range(0x20, 0x7F)))
        book.add(f"all printable octets in {word}", chunk(mark, every), True, ["WI-090"], HELLO + before)
        for name, text in [("NUL", "\0"), ("a bare CR", "\r"), ("a bare LF", "\n"), ("LF CR", "\n\r"),
                           ("a letter of two octets", "é"), ("a sign of three octets", "€"),
                           ("a sign of four octets", "😀"), ("a C1 control", "\x85"), ("DEL", "\x7f"), ("TAB", "\t")]:
            clauses = ["WI-010"] if "bare" in name or name == "LF CR" else ["WI-090"]
            book.add(f"{name} in {word}", chunk(mark, f"a{text}b"), False, clauses, HELLO + before)
    for code in range(1, 0x20):
        if chr(code) not in "\t\r\n":
            book.add(f"the control {code:02x} in a chunk", chunk("NEXT", f"a{chr(code)}b"), False,
                     ["WI-090"], HELLO + BEGUN)
    for place, data in [("at the front", "\x01ab"), ("at the end", "ab\x01")]:
        book.add(f"a control {place} of a chunk", chunk("NEXT", data), False, ["WI-090"], HELLO + BEGUN)


def words(book):
    for why, line in [("all of it", "x-link2state first chunk="), ("parts of it", "X-Link2State fIRST Chunk="), ("the mark", "X-LINK2STATE first CHUNK="),
                      ("the key", "X-LINK2STATE FIRST chunk="), ("the verb", "x-link2state FIRST CHUNK=")]:
        book.add(f"FIRST with {why} in lower case", line, True, ["WI-040"], HELLO)
    for why, line in [("NEXT", "x-link2state next chunk="), ("unmarked", "X-LINK2STATE chunk="), ("unmarked and mixed", "X-Link2State cHuNk=")]:
        book.add(f"{why} in lower case", line, True, ["WI-040"], HELLO + BEGUN)
    book.add("LAST in lower case", f"X-LINK2STATE last chunk={WHOLE}", True, ["WI-040"], HELLO + BEGUN)
    for why, rest in [
        ("no argument", ""), ("a space and no argument", " "), ("FIRST alone", " FIRST"), ("CHUNK alone", " CHUNK"),
        ("FIRST without equals", " FIRST CHUNK"), ("an equals with a space before", " FIRST CHUNK ="),
        ("a space before FIRST", "  FIRST CHUNK="), ("two spaces behind FIRST", " FIRST  CHUNK="),
        ("a TAB behind FIRST", " FIRST\tCHUNK="), ("a TAB behind the verb", "\tFIRST CHUNK="),
        ("no space behind FIRST", " FIRSTCHUNK="), ("a comma behind FIRST", " FIRST,CHUNK="),
        ("a colon for the equals", " FIRST CHUNK:"), ("another key", " FIRST DATA="), ("a longer key", " FIRST CHUNKS="),
        ("a shorter key", " FIRST CHUN="), ("a longer mark", " FIRSTS CHUNK="), ("a shorter mark", " FIRS CHUNK="),
        ("an unknown mark", " MIDDLE CHUNK="), ("two marks", " FIRST LAST CHUNK="), ("the mark behind", " CHUNK FIRST="),
        ("quoted key", ' FIRST "CHUNK"='), ("the mark in brackets", " [FIRST] CHUNK="), ("a number for a mark", " 1 CHUNK="),
        ("equals behind FIRST", " FIRST=CHUNK="), ("an empty key", " FIRST ="),
    ]:
        book.add(f"X-LINK2STATE with {why}", "X-LINK2STATE" + rest, False, ["WI-041", "WI-090"], HELLO,
                 twin="an empty FIRST after nothing")
    for why, verb in [("X-LINK3STATE", "X-LINK3STATE"), ("XLINK2STATE", "XLINK2STATE"), ("X-LINK2STATES", "X-LINK2STATES")]:
        book.add(f"the verb {why}", verb + " FIRST CHUNK=", False, ["WI-041"], HELLO, twin="an empty FIRST after nothing")


def splits(book):
    """One message cut in two at every place where a token begins or ends."""
    for at in [1, 5, 9, 10, 11, 16, 17, 20, 21, 22, 23, 33, 34, 38, 39, 70, 103, 104, 105, len(WHOLE) - 1]:
        book.add(f"a message cut behind octet {at}", chunk("LAST", WHOLE[at:]), True, ["WI-091", "WI-032"],
                 HELLO + [FIRST + WHOLE[:at]])
        book.add(f"a message cut behind octet {at} that lacks the next", chunk("LAST", WHOLE[at + 1:]), False,
                 ["WI-032"], HELLO + [FIRST + WHOLE[:at]])


def counts(book):
    inner = frame(QUERY)
    content = f" MULTI (6) ({inner})"

    def put(why, text, clauses=("WI-032",)):
        book.add(why, chunk("LAST", text), bool(has(message_of_client, text)), [*clauses], HELLO + BEGUN)

    for where, wrap, text in [("message", str, content), ("element", lambda t: frame(f" MULTI (6) ({t})"), QUERY)]:
        length = len(text)
        for why, head in [
            ("one octet too few", f"{{{length - 1:08x}}}"), ("one octet too many", f"{{{length + 1:08x}}}"),
            ("none", "{00000000}"), ("one", "{00000001}"), ("half", f"{{{length // 2:08x}}}"),
            ("twice as many", f"{{{length * 2:08x}}}"), ("all of the limit", "{00400000}"),
            ("one over the limit", "{00400001}"), ("the sign bit", "{80000000}"), ("the greatest count", "{ffffffff}"),
            ("the greatest that is positive", "{7fffffff}"),
            ("sixteen digits", f"{{{length:016x}}}"), ("seven digits", f"{{{length:07x}}}"), ("nine digits", f"{{{length:09x}}}"),
            ("the shortest form", f"{{{length:x}}}"), ("no digits", "{}"), ("decimal digits", f"{{{length:08d}}}"),
            ("a plus sign", f"{{+{length:07x}}}"), ("a minus sign", f"{{-{length:07x}}}"), ("a prefix", f"{{0x{length:06x}}}"),
            ("blanks for zeros", f"{{{length:8x}}}"), ("a blank behind", f"{{{length:07x} }}"), ("a suffix", f"{{{length:07x}h}}"),
            ("round brackets", f"({length:08x})"), ("square brackets", f"[{length:08x}]"), ("angle brackets", f"<{length:08x}>"),
            ("no opening brace", f"{length:08x}}}"), ("no closing brace", f"{{{length:08x}"), ("no braces", f"{length:08x}"),
            ("a space behind the brace", f"{{{length:08x}}} "), ("a space before the brace", f" {{{length:08x}}}"),
            ("upper case", f"{{{length:08X}}}"),
        ]:
            put(f"a count of the {where} with {why}", wrap(head + text), ("WI-032", "WI-031") if "limit" in why else ("WI-032",))
        for place in range(8):
            digits = f"{length:08x}"
            put(f"a count of the {where} with a g for digit {place + 1}", wrap(f"{{{digits[:place]}g{digits[place + 1:]}}}" + text))
    for why, held, line in [("in one chunk", "", "{00400001}"), ("with the digit that decides in the next chunk", "{0040000", "1}"),
                            ("with the brace in the next chunk", "{00400001", "}"), ("as great as it can be", "", "{ffffffff}")]:
        mark = "NEXT" if held else "FIRST"
        before = [FIRST + held] if held else []
        book.add(f"a count above the limit {why}", chunk(mark, line), verdict(held or None, mark, line), ["WI-031"], HELLO + before)
    book.add("a count of all the limit in one chunk", chunk("FIRST", "{00400000}"), True, ["WI-031"], HELLO)
    book.add("a count of all the limit in two chunks", chunk("NEXT", "0}"), True, ["WI-031"], HELLO + [FIRST + "{0040000"])
    book.add("a brace behind a count within the limit", chunk("NEXT", "}"), True, ["WI-031"], HELLO + [FIRST + "{00400000"])


def contents(book):
    inner = frame(QUERY)
    for why, content in [
        ("version 5", f" MULTI (5) ({inner})"), ("version 7", f" MULTI (7) ({inner})"), ("version 06", f" MULTI (06) ({inner})"),
        ("version 6 without brackets", f" MULTI 6 ({inner})"), ("version 6 in braces", f" MULTI {{6}} ({inner})"),
        ("a space in the version", f" MULTI ( 6) ({inner})"), ("no version", f" MULTI ({inner})"), ("two versions", f" MULTI (6) (6) ({inner})"),
        ("multi in lower case", f" multi (6) ({inner})"), ("Multi in mixed case", f" Multi (6) ({inner})"), ("MULTIS", f" MULTIS (6) ({inner})"),
        ("MULT", f" MULT (6) ({inner})"), ("no verb", f" (6) ({inner})"), ("the element alone", QUERY), ("ORGINFO for MULTI", f" ORGINFO (6) ({inner})"),
        ("no space in front", f"MULTI (6) ({inner})"), ("two spaces in front", f"  MULTI (6) ({inner})"),
        ("two spaces before the version", f" MULTI  (6) ({inner})"), ("two spaces before the list", f" MULTI (6)  ({inner})"),
        ("no space before the list", f" MULTI (6)({inner})"), ("no list", " MULTI (6)"), ("an empty list", " MULTI (6) ()"),
        ("a list with a space in it", f" MULTI (6) ( {inner})"), ("a space behind the element", f" MULTI (6) ({inner} )"),
        ("an open list", f" MULTI (6) ({inner}"), ("a list closed twice", f" MULTI (6) ({inner}))"), ("square brackets", f" MULTI (6) [{inner}]"),
        ("a space behind the list", f" MULTI (6) ({inner}) "), ("a line end behind the list", f" MULTI (6) ({inner})." ),
        ("the same element twice", f" MULTI (6) ({inner}{inner})"), ("two elements with a space between", f" MULTI (6) ({inner} {inner})"),
        ("MERGED", f" MULTI (6) ({frame(f' MERGED {ZERO} ()')})"), ("NEWS and MERGED", f" MULTI (6) ({inner}{frame(f' MERGED {ZERO} ()')})"),
        ("an empty element", f" MULTI (6) ({frame('')})"), ("a space for an element", f" MULTI (6) ({frame(' ')})"),
        ("a message inside the message", f" MULTI (6) ({WHOLE})"), ("a whole message for an element", f" MULTI (6) ({frame(WHOLE)})"),
    ] + [
        (f"the element {verb}", f" MULTI (6) ({frame(rest)})") for verb, rest in [
            ("news in lower case", f" news {ZERO} ()"), ("News in mixed case", f" News {ZERO} ()"), ("NEW", f" NEW {ZERO} ()"), ("NEWSY", f" NEWSY {ZERO} ()"),
            ("ORGINFO", f" ORGINFO {ZERO} ()"), ("REPORT", " REPORT ()"), ("REPORTED", " REPORTED 1 {5}rg2-a 1"),
            ("ATTACH", " ATTACH {5}rg2-a"), ("CONSULT", " CONSULT {5}rg2-a"), ("VERIFIED", " VERIFIED 1"),
            ("NODEINFO", " NODEINFO (6) {21}Version: 1 Bridgehead rg2-a ready"),
            ("NEWS without digest", " NEWS ()"), ("NEWS without list", f" NEWS {ZERO}"), ("NEWS alone", " NEWS"),
            ("NEWS with two digests", f" NEWS {ZERO} {ZERO} ()"), ("NEWS with list and digest exchanged", f" NEWS () {ZERO}"),
            ("NEWS with two lists", f" NEWS {ZERO} () ()"), ("NEWS with an open list", f" NEWS {ZERO} ("),
            ("NEWS with a space in the list", f" NEWS {ZERO} ( )"), ("NEWS with a list of nothing closed twice", f" NEWS {ZERO} ())"),
            ("NEWS with a number in the list", f" NEWS {ZERO} ( 1 )"), ("NEWS with a name in the list", f" NEWS {ZERO} ( {{3}}RG2 )"),
            ("NEWS with an empty record", f" NEWS {ZERO} ( () )"), ("NEWS with a line end", f" NEWS {ZERO} (). "),
            ("NEWS without a space in front", f"NEWS {ZERO} ()"), ("NEWS with two spaces in front", f"  NEWS {ZERO} ()"),
            ("NEWS with two spaces before the digest", f" NEWS  {ZERO} ()"), ("NEWS with two spaces before the list", f" NEWS {ZERO}  ()"),
            ("NEWS with a digest of 63 digits", f" NEWS {ZERO[1:]} ()"), ("NEWS with a digest of 65 digits", f" NEWS {ZERO}0 ()"),
            ("NEWS with a digest of 32 digits", f" NEWS {ZERO[:32]} ()"), ("NEWS with a digest of 128 digits", f" NEWS {ZERO}{ZERO} ()"),
            ("NEWS with a digest in upper case", f" NEWS {'A' * 64} ()"), ("NEWS with one upper-case digit", f" NEWS {ZERO[1:]}F ()"),
            ("NEWS with a digest in lower case", f" NEWS {'abcdef09' * 8} ()"), ("NEWS with a g in the digest", f" NEWS {ZERO[1:]}g ()"),
            ("NEWS with a counted digest", f" NEWS {{40}}{ZERO} ()"), ("NEWS with a quoted digest", f' NEWS "{ZERO}" ()'),
        ]
    ]:
        text = frame(content)
        book.add(f"a message with {why}", chunk("LAST", text), bool(has(message_of_client, text)), ["WI-101"] if why not in
                 ("MERGED", "an empty list", "the same element twice", "NEWS and MERGED") else ["SM-032"], HELLO + BEGUN)


def peers(book):
    for mark, data in [("FIRST", ""), ("NEXT", ""), ("", "A" * 521), ("LAST", WHOLE)]:
        word, line = mark or "the attack of MS05-021", chunk(mark, data)
        begun = [] if mark == "FIRST" else ["! " + FIRST]
        book.add(f"{word} from a stranger", line, False, ["SM-020"], [HELLO[0], "! " + HELLO[1], *begun], seat="outside")
        book.add(f"{word} before X-SUBMIT HELLO", line, False, ["SU-030"], HELLO[:1])
        book.add(f"{word} before EHLO", line, False, ["SM-020"], [])


def historic(book, printed):
    """The packet of version (5) that Microsoft printed, without its list of users, so that it fits in one chunk:
    it is refused by whoever speaks version (6) (WI-101, WI-120)."""
    users = printed.index(".6.(.{24}CN=tester07"), printed.index(".).0.().0.()..ARROWS")
    body = printed[10:users[0]] + ".0.()" + printed[users[1] + 2:]
    group = body[body.index("("):].rstrip(".")
    for why, text in [
        ("as it was printed", printed[:10] + body), ("with its count mended", frame(body)),
        ("with its dots as spaces", frame(body.replace(".", " "))), ("with one space for two dots", frame(body.replace("..", " ").replace(".", " "))),
        ("in a message of version 5", frame(f" MULTI (5) ({frame(' ORGINFO ' + group)})")),
        ("in a message of version 6", frame(f" MULTI (6) ({frame(' ORGINFO ' + group)})")),
        ("for a record of NEWS", message(f" NEWS {ZERO} ( {group} )")),
        ("for a record of NEWS with spaces", message(f" NEWS {ZERO} ( {group.replace('.', ' ')} )")),
        ("for the list of NEWS", message(f" NEWS {ZERO} {group}")), ("without its end", frame(body[:-40])), ("without its digest", frame(group)),
    ]:
        assert not has(message_of_client, text)
        book.add(f"a historic packet {why}", chunk("LAST", text), False, ["WI-101", "WI-120"], HELLO + BEGUN)


def book(printed):
    book = Book("chunk", "link-state", "member", "smtp", ("2yz", "5yz"))
    for part in [states, lengths, octets, words, splits, counts, contents, peers]:
        part(book)
    historic(book, printed)
    return book
