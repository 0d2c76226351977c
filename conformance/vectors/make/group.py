"""The group port: every PDU in every state of the connection, frames, and the PDUs beside news."""

from book import ZERO, Book, counted, frame
from grammar import group_frame, has
from records import ATTACHED, PLAIN, on_the_group_port

CONSULTED = [frame(" CONSULT {5}rg1-c\r\n")]
REPORT = {"line": frame(" REPORT ()\r\n"), "reply": "REPORTED"}
QUERY = {"line": frame(f" NEWS {ZERO} ()\r\n"), "reply": "MERGED"}
ASKED = {"line": frame(" VERIFY 1 RECIPIENT {10}ann@example.test 0\r\n"), "reply": "VERIFIED"}
STATES = [
    ("at once", [], "greeted"), ("after ATTACH", ATTACHED, "attached"), ("after a report", [*ATTACHED, REPORT], "attached"),
    ("after a query", [*ATTACHED, QUERY], "attached"), ("after a report and a query", [*ATTACHED, REPORT, QUERY], "attached"),
    ("after CONSULT", CONSULTED, "consulted"), ("after a question", [*CONSULTED, ASKED], "consulted"),
]
PDUS = [
    ("NODEINFO", " NODEINFO (6) {21}Version: 1 Bridgehead rg1-c ready"), ("NODEINFO of the master", " NODEINFO (6) {21}Version: 1 Bridgehead rg1-a ready"),
    ("ATTACH", " ATTACH {5}rg1-c"), ("ATTACH as another", " ATTACH {5}rg1-a"), ("ATTACH as nobody", " ATTACH {5}rg9-z"), ("CONSULT", " CONSULT {5}rg1-c"),
    ("CONSULT as another", " CONSULT {5}rg1-a"), ("an empty REPORT", " REPORT ()"), ("a REPORT of UP", " REPORT ( {7}RG1-RG2 UP )"), ("a REPORT of DOWN", " REPORT ( {7}RG1-RG2 DOWN )"), ("a REPORT of HELD", " REPORT ( {7}RG1-RG2 HELD )"),
    ("REPORTED", " REPORTED 1 {5}rg1-a 1"), ("a query", f" NEWS {ZERO} ()"), ("NEWS", f" NEWS {ZERO} ( {PLAIN} )"), ("MERGED", f" MERGED {ZERO} ()"),
    ("MERGED with a record", f" MERGED {ZERO} ( {PLAIN} )"), ("VERIFY of a recipient", " VERIFY 2 RECIPIENT {10}ann@example.test 0"),
    ("VERIFY of a sender", " VERIFY 2 SENDER {10}ann@example.test 0 1"), ("VERIFIED", " VERIFIED 1"), ("REFUSED", " REFUSED 1 550 5.1.1 {2}no"),
    ("HEARTBEAT", " HEARTBEAT 2 ( {5}loads ) - LOCAL 1 0 SERVES -"), ("HEARTBEAT of version 1", " HEARTBEAT 1 () FRONTEND LOCAL-FOR-OTHERS 64 0 DRAINS -"),
    ("MEMBERS", " MEMBERS 1 {5}rg1-a 1 1 2 () ( {5}rg1-c ACTIVE - LOCAL 1 0 - )"), ("LOADS", " LOADS 1 {5}rg1-a 1 1 ( {5}rg1-c 0 )"),
]
# What each state takes (SM-080, SM-082, WI-047), and what is answered.
TAKEN = {
    "greeted": {"ATTACH": "heard", "CONSULT": "asking"},
    "attached": {"an empty REPORT": "REPORTED", "a REPORT of UP": "REPORTED", "a REPORT of DOWN": "REPORTED", "a REPORT of HELD": "REPORTED", "a query": "MERGED", "NEWS": "MERGED", "HEARTBEAT": "MEMBERS", "HEARTBEAT of version 1": "MEMBERS"},
    "consulted": {"VERIFY of a recipient": "VERIFIED", "VERIFY of a sender": "VERIFIED"},
}


# Of accounts that are leased: none of them stands on a connection that began otherwise (WI-140).
ANN = "{10}ann@example.test"
LEASES = [
    ("CLAIM", f" CLAIM 1f 1 {{5}}rg1-a 1 1e ( {ANN} )"), ("RENEW", f" RENEW 1f 1 {{5}}rg1-a 1 1e ( {ANN} 1 {{5}}rg1-a 1 9 )"), ("RETURN", f" RETURN 1 {{5}}rg1-a 1 ( {ANN} 1 {{5}}rg1-a 1 9 )"),
    ("LEASED", f" LEASED 1f ( {ANN} 1 {{5}}rg1-a 1 9 ) ()"), ("LEASED to another", f" LEASED 1f () ( {ANN} {{5}}rg1-b )"), ("DECLINED", " DECLINED 1f 1 {5}rg1-a 1"), ("DECLINED without a term", " DECLINED 1f -"),
]


def leases(book):
    for when, before, state in STATES:
        for what, content in LEASES:
            octets = frame(content + "\r\n")
            assert has(group_frame, octets), what
            book.add(f"{what} {when}", octets, False, ["WI-140", "SM-080" if state == "greeted" else "SM-082"], before, reply="closed")


def states(book):
    for when, before, state in STATES:
        for what, content in PDUS:
            octets = frame(content + "\r\n")
            assert has(group_frame, octets), what
            reply = TAKEN[state].get(what)
            clauses = ["SM-080"] if state == "greeted" else ["SM-082"] if state == "attached" else ["WI-047", "SM-082"]
            if what.split()[0] in ("HEARTBEAT", "MEMBERS", "LOADS") and state != "greeted":
                clauses = ["MA-052", "WI-130"] if reply else ["SM-082", "WI-130"]
            if state == "consulted" and reply:
                clauses = ["SM-091", "WI-048"]
            book.add(f"{what} {when}", octets, reply is not None, clauses, before, reply=reply or "closed")


def pdus(book):
    def put(why, content, before, clauses, answer):
        octets = frame(content + "\r\n")
        valid = has(group_frame, octets) is not None
        book.add(why, octets, valid, clauses, before, reply=answer if valid else "closed")

    for verb, answer in [("ATTACH", "heard"), ("CONSULT", "asking")]:
        for why, rest in [("and no name", ""), ("and two names", " {5}rg1-c {5}rg1-c"), ("and a name that is not counted", " rg1-c"), ("and a name of no letters", " {0}"),
                          ("and a count one too small", " {4}rg1-c"), ("and a count one too great", " {6}rg1-c"), ("and a count in front of nothing", " {5}"), ("and an escaped name", " {7}rg1+2Dc"),
                          ("and two spaces", "  {5}rg1-c"), ("and a list", " ( {5}rg1-c )"), ("and a number behind the name", " {5}rg1-c 1"), ("and a name in upper case", " {5}RG1-C")]:
            octets = frame(f" {verb}{rest}\r\n")
            book.add(f"{verb} {why}", octets, False, ["SM-080", "WI-110"], [], reply="closed", twin=f"{verb} at once")
        for why, octets in [("in lower case", frame(f" {verb.lower()} {{5}}rg1-c\r\n")), ("without a space in front", frame(f"{verb} {{5}}rg1-c\r\n")),
                            ("without a line end", frame(f" {verb} {{5}}rg1-c")), ("with LF for its end", frame(f" {verb} {{5}}rg1-c\n")), ("with two line ends", frame(f" {verb} {{5}}rg1-c\r\n\r\n"))]:
            assert not has(group_frame, octets)
            book.add(f"{verb} {why}", octets, False, ["WI-110"], [], reply="closed")
    plain = " REPORT ( {7}RG1-RG2 UP )"
    for why, content in [
        ("a name without a state", " REPORT ( {7}RG1-RG2 )"), ("a state without a name", " REPORT ( UP )"), ("two states", " REPORT ( {7}RG1-RG2 UP DOWN )"), ("the state first", " REPORT ( UP {7}RG1-RG2 )"),
        ("a cost", " REPORT ( {7}RG1-RG2 UP a )"), ("the state in lower case", " REPORT ( {7}RG1-RG2 up )"), ("HELD in lower case", " REPORT ( {7}RG1-RG2 held )"), ("HELD and UP", " REPORT ( {7}RG1-RG2 HELD UP )"), ("HELD before the name", " REPORT ( HELD {7}RG1-RG2 )"), ("HELD longer by a letter", " REPORT ( {7}RG1-RG2 HELDS )"), ("all three states", " REPORT ( {7}RG1-RG2 UP {7}RG1-RG3 DOWN {7}RG1-RG4 HELD )"),
        ("a state counted", " REPORT ( {7}RG1-RG2 {2}UP )"), ("a state that is none", " REPORT ( {7}RG1-RG2 OSCILLATING )"),
        ("two connectors and a comma", " REPORT ( {7}RG1-RG2 UP, {7}RG1-RG3 UP )"), ("no space before the closing", " REPORT ( {7}RG1-RG2 UP)"), ("no space behind the opening", " REPORT ({7}RG1-RG2 UP )"),
        ("no list", " REPORT"), ("no list but a connector", " REPORT {7}RG1-RG2 UP"), ("two lists", " REPORT () ()"), ("an open list", " REPORT ( {7}RG1-RG2 UP"), ("a closing too many", " REPORT () )"), ("a digest", f" REPORT {ZERO} ()"),
        ("lists in the list", " REPORT ( ( {7}RG1-RG2 UP ) )"), ("a space for a list", " REPORT ( )"), ("the longest name", " REPORT ( {ff}" + "R" * 255 + " UP )"), ("three connectors", " REPORT ( {7}RG1-RG2 UP {7}RG1-RG3 DOWN {7}RG1-RG4 UP )"),
        ("a connector twice", " REPORT ( {7}RG1-RG2 UP {7}RG1-RG2 DOWN )"), ("a connector of another group", " REPORT ( {7}RG2-RG1 DOWN )"), ("a thousand connectors", " REPORT ( " + " ".join(f"{{4}}C{n:03} UP" for n in range(1_000)) + " )"),
    ]:
        put(f"a report with {why}", content, ATTACHED, ["WI-110", "MA-014"] if "another group" in why or "twice" in why else ["WI-110"], "REPORTED")
    assert has(group_frame, frame(plain + "\r\n"))
    for why, content in [
        ("NEWS without a digest", " NEWS ()"), ("NEWS without a list", f" NEWS {ZERO}"), ("NEWS with two lists", f" NEWS {ZERO} () ()"), ("NEWS with a digest of 63 digits", f" NEWS {ZERO[1:]} ()"),
        ("NEWS with a digest of 65 digits", f" NEWS {ZERO}0 ()"), ("NEWS with a digest in upper case", f" NEWS {'A' * 64} ()"), ("NEWS with a g in its digest", f" NEWS {ZERO[1:]}g ()"), ("NEWS with a digest in lower case", f" NEWS {'ab' * 32} ()"),
        ("NEWS in a MULTI", f" MULTI (6) ({frame(f' NEWS {ZERO} ()')})"), ("NEWS in a frame of its own", " " + frame(f" NEWS {ZERO} ()")), ("news in lower case", f" news {ZERO} ()"), ("NEWSY", f" NEWSY {ZERO} ()"),
        ("NEWS with a space in the list", f" NEWS {ZERO} ( )"), ("NEWS with an open list", f" NEWS {ZERO} ("), ("NEWS with a number in the list", f" NEWS {ZERO} ( 1 )"), ("the historic ORGINFO", f" ORGINFO {ZERO} ()"),
    ]:
        put(f"the content {why}", content, ATTACHED, ["WI-110"], "MERGED")
    ann = counted("ann@example.test")
    for why, content in [
        ("the greatest number", f" VERIFY ffffffff RECIPIENT {ann} 0"), ("a number one too great", f" VERIFY 100000000 RECIPIENT {ann} 0"), ("no number", f" VERIFY RECIPIENT {ann} 0"), ("a number with a zero", f" VERIFY 01 RECIPIENT {ann} 0"),
        ("neither recipient nor sender", f" VERIFY 1 {ann} 0"), ("another subject", f" VERIFY 1 POSTMASTER {ann} 0"), ("a recipient in lower case", f" VERIFY 1 recipient {ann} 0"), ("an address that is not counted", " VERIFY 1 RECIPIENT ann@example.test 0"),
        ("an address without a domain", " VERIFY 1 RECIPIENT {3}ann 0"), ("no address", " VERIFY 1 RECIPIENT 0"), ("no length", f" VERIFY 1 RECIPIENT {ann}"), ("two lengths", f" VERIFY 1 RECIPIENT {ann} 0 0"), ("a length in upper case", f" VERIFY 1 RECIPIENT {ann} A"),
        ("the greatest length", f" VERIFY 1 SENDER {ann} 0 1"), ("a sender without recipients", f" VERIFY 1 SENDER {ann} 0"), ("a sender and three numbers", f" VERIFY 1 SENDER {ann} 0 1 1"), ("two addresses", f" VERIFY 1 RECIPIENT {ann} {ann} 0"),
    ]:
        put(f"a question with {why}", content, CONSULTED, ["WI-048"], "VERIFIED")
    known = " 0 {5}rg1-a 1 1"
    for why, rest in [
        ("of a later version", "ffffffff () - LOCAL 1 0 SERVES -"), ("of version 0", "0 () - LOCAL 1 0 SERVES -"), ("of too great a version", "100000000 () - LOCAL 1 0 SERVES -"), ("of no version", "() - LOCAL 1 0 SERVES -"),
        ("of a version with a zero", "02 () - LOCAL 1 0 SERVES -"), ("without features", "2 - LOCAL 1 0 SERVES -"), ("of two features", "2 ( {5}loads {1}z ) - LOCAL 1 0 SERVES -"), ("of features in another order", "2 ( {1}z {5}loads ) - LOCAL 1 0 SERVES -"),
        ("of a feature twice", "2 ( {5}loads {5}loads ) - LOCAL 1 0 SERVES -"), ("of a feature in upper case", "2 ( {5}LOADS ) - LOCAL 1 0 SERVES -"), ("of a feature of no letters", "2 ( {0} ) - LOCAL 1 0 SERVES -"), ("of the longest feature", "2 ( {20}" + "f" * 32 + " ) - LOCAL 1 0 SERVES -"),
        ("of a feature longer by one", "2 ( {21}" + "f" * 33 + " ) - LOCAL 1 0 SERVES -"), ("of 16 features", "2 ( " + " ".join(f"{{2}}{n:02}" for n in range(16)) + " ) - LOCAL 1 0 SERVES -"), ("of 17 features", "2 ( " + " ".join(f"{{2}}{n:02}" for n in range(17)) + " ) - LOCAL 1 0 SERVES -"),
        ("of a backend", "2 () BACKEND REMOTE 1 0 SERVES -"), ("of another role", "2 () MASTER LOCAL 1 0 SERVES -"), ("of no role", "2 () LOCAL 1 0 SERVES -"), ("of the policy automatic", "2 () - AUTOMATIC 1 0 SERVES -"), ("of a policy cut short", "2 () - LOCAL-FOR 1 0 SERVES -"),
        ("of no weight", "2 () - LOCAL 0 0 SERVES -"), ("of the greatest weight", "2 () - LOCAL 64 0 SERVES -"), ("of too great a weight", "2 () - LOCAL 65 0 SERVES -"), ("of the greatest load", "2 () - LOCAL 1 ffffffff SERVES -"), ("of too great a load", "2 () - LOCAL 1 100000000 SERVES -"),
        ("of no duty", "2 () - LOCAL 1 0 -"), ("of another duty", "2 () - LOCAL 1 0 RESTS -"), ("that serves in lower case", "2 () - LOCAL 1 0 serves -"), ("that names a list", f"2 () - LOCAL 1 0 SERVES{known}"), ("that names the list 0", "2 () - LOCAL 1 0 SERVES 1 {5}rg1-a 1 0"),
        ("that names no list", "2 () - LOCAL 1 0 SERVES"), ("that names a term alone", "2 () - LOCAL 1 0 SERVES 1 {5}rg1-a 1"), ("with something behind", "2 () - LOCAL 1 0 SERVES - -"),
    ]:
        put(f"a heartbeat {why}", f" HEARTBEAT {rest}", ATTACHED, ["MA-056", "WI-131"] if "later" in why else ["WI-131"], "MEMBERS")


def frames(book):
    length = len(" REPORT ()\r\n")
    for why, head in [
        ("one octet too few", f"{{{length - 1:08x}}}"), ("zero", "{00000000}"), ("the sign bit", "{80000000}"), ("the greatest count", "{ffffffff}"), ("the greatest that is positive", "{7fffffff}"), ("one over the limit", "{00400001}"),
        ("seven digits", f"{{{length:07x}}}"), ("nine digits", f"{{{length:09x}}}"), ("the shortest form", f"{{{length:x}}}"), ("no digits", "{}"), ("a plus sign", f"{{+{length:07x}}}"), ("a minus sign", f"{{-{length:07x}}}"), ("a prefix", f"{{0x{length:06x}}}"),
        ("blanks for zeros", f"{{{length:8x}}}"), ("a suffix", f"{{{length:07x}h}}"), ("round brackets", f"({length:08x})"), ("angle brackets", f"<{length:08x}>"), ("no opening brace", f"{length:08x}}}"), ("no closing brace", f"{{{length:08x}"),
        ("a space before the brace", f" {{{length:08x}}}"), ("a line end before the brace", f"\r\n{{{length:08x}}}"), ("a NUL before the brace", f"\0{{{length:08x}}}"),
    ]:
        octets = head + " REPORT ()\r\n"
        assert has(group_frame, octets) is None, why
        book.add(f"a count with {why}", octets, False, ["WI-031" if "limit" in why or "greatest" in why or "sign bit" in why else "WI-015", "WI-032"], ATTACHED, reply="closed")
    for place in range(8):
        digits = f"{length:08x}"
        book.add(f"a count with a g for digit {place + 1}", f"{{{digits[:place]}g{digits[place + 1:]}}} REPORT ()\r\n", False, ["WI-015"], ATTACHED, reply="closed")
    for why, content in [("NUL", " REPORT\0()\r\n"), ("TAB", " REPORT\t()\r\n"), ("a bare CR inside", " REPORT\r()\r\n"), ("a bare LF inside", " REPORT\n()\r\n"), ("CRLF inside", " REPORT\r\n()\r\n"), ("DEL", " REPORT\x7f()\r\n"), ("CRLF alone", "\r\n"), ("a space and CRLF", " \r\n"),
                         ("CRLF in front", "\r\n REPORT ()\r\n"), ("LF CR for its end", " REPORT ()\n\r"), ("CR CRLF for its end", " REPORT ()\r\r\n"), ("a line of SMTP", "EHLO rg1-c\r\n"), ("a line of SMTP behind a space", " EHLO rg1-c\r\n"), ("two contents", " REPORT ()\r\n REPORT ()\r\n")]:
        octets = frame(content)
        assert has(group_frame, octets) is None, why
        book.add(f"a content with {why}", octets, False, ["WI-110", "SM-082"], ATTACHED, reply="closed")
    book.add("EHLO at once", "EHLO rg1-c\r\n", False, ["WI-015", "SM-080"], [], reply="closed")
    book.add("a count in upper case", "{0000000C} REPORT ()\r\n", True, ["WI-032"], ATTACHED, reply="REPORTED")


def book():
    book = Book("pdu", "link-state", "fellow", "group", ("heard", "closed"))
    states(book)
    leases(book)
    pdus(book)
    frames(book)
    on_the_group_port(book)
    return book
