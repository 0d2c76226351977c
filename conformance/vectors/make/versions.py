"""The versions that routed a message, in the envelope of its hand-over: WI-080, WI-082, WI-084."""

import hashlib

from book import HELLO, ZERO, Book, message
from chunks import VERB

NEWS = [VERB + "FIRST CHUNK=" + message(f" NEWS {ZERO} ()"), VERB + "LAST CHUNK="]
BODY = "From: bob\r\nSubject: a vector\r\n\r\n.\r\n"
ENVELOPE = (
    '{"origin":"rg2-a/0123456789abcdef/9","sender":"bob@example.test","recipients":[{"index":0,"address":"ann@example.test",'
    '"notify":{"success":false,"failure":true,"delay":true},"original":null}],"arrived":0,"expires":172800000000,"ret":null,'
    '"envid":null,"smtputf8":false,"hops":[{"from":"client.example.net","by":"rg2-a","group":"RG2","with":"ESMTP",'
    '"id":"00000000000000b1","at":0}],"routed_by":%s}'
)


def version(counter="1", member='"rg2-a"', nonce="1", major="1", minor="0", user="0"):
    return f'{{"term":{{"counter":{counter},"member":{member},"nonce":{nonce}}},"major":{major},"minor":{minor},"user":{user}}}'


PLAIN = version()


def keyed(name):
    """A group as the versions name it (LS-137): its name and its UUID, here of the same number."""
    return f"{name}/{int(name.removeprefix('RG')):032x}"


def named(*pairs):
    return "{" + ",".join(f'"{name}":{text}' for name, text in pairs) + "}"


def groups(*pairs):
    return named(*[(keyed(name), text) for name, text in pairs])


def of(text):
    return groups(("RG2", text))


ACCEPTED = [
    ("no version", "{}"), ("one version", of(PLAIN)), ("two versions in the order of their groups", groups(("RG1", PLAIN), ("RG2", PLAIN))),
    ("a version of a group that nobody knows", groups(("RG9", PLAIN))), ("the greatest counter", of(version(counter="18446744073709551615"))), ("the greatest nonce", of(version(nonce="18446744073709551615"))),
    ("the greatest major number", of(version(major="4294967295"))), ("the greatest minor number", of(version(minor="4294967295"))), ("the greatest user number", of(version(user="4294967295"))), ("all numbers 0", of(version("0", '"rg2-a"', "0", "0"))),
    ("a version with a member elsewhere", of(version(member='"rg9-z"'))), ("a hundred versions", groups(*[(f"RG{n:03}", PLAIN) for n in range(100)])),
]
REFUSED = [
    ("null", "null"), ("a list", "[]"), ("a text", '"RG2"'), ("a number", "0"), ("true", "true"),
    ("groups out of order", groups(("RG2", PLAIN), ("RG1", PLAIN))), ("one group twice", groups(("RG2", PLAIN), ("RG2", PLAIN))), ("a version of null", of("null")), ("a version of 1", of("1")), ("a version as a text", of('"1.1.0.0"')), ("a version as a list", of("[1,1,0,0]")), ("an empty version", of("{}")),
    ("no term", of('{"major":1,"minor":0,"user":0}')), ("a term of null", of('{"term":null,"major":1,"minor":0,"user":0}')), ("a term as a number", of('{"term":1,"major":1,"minor":0,"user":0}')), ("an empty term", of('{"term":{},"major":1,"minor":0,"user":0}')),
    ("no counter", of('{"term":{"member":"rg2-a","nonce":1},"major":1,"minor":0,"user":0}')), ("no member", of('{"term":{"counter":1,"nonce":1},"major":1,"minor":0,"user":0}')), ("no nonce", of('{"term":{"counter":1,"member":"rg2-a"},"major":1,"minor":0,"user":0}')),
    ("no major number", of('{"term":{"counter":1,"member":"rg2-a","nonce":1},"minor":0,"user":0}')), ("no minor number", of('{"term":{"counter":1,"member":"rg2-a","nonce":1},"major":1,"user":0}')), ("no user number", of('{"term":{"counter":1,"member":"rg2-a","nonce":1},"major":1,"minor":0}')),
    ("the term behind the numbers", of('{"major":1,"minor":0,"user":0,"term":{"counter":1,"member":"rg2-a","nonce":1}}')), ("minor before major", of('{"term":{"counter":1,"member":"rg2-a","nonce":1},"minor":0,"major":1,"user":0}')), ("the member before the counter", of('{"term":{"member":"rg2-a","counter":1,"nonce":1},"major":1,"minor":0,"user":0}')),
    ("a further number", of(PLAIN[:-1] + ',"build":1}')), ("a further part of the term", of('{"term":{"counter":1,"member":"rg2-a","nonce":1,"x":1},"major":1,"minor":0,"user":0}')), ("the major number twice", of('{"term":{"counter":1,"member":"rg2-a","nonce":1},"major":1,"major":1,"minor":0,"user":0}')),
    ("a space behind a colon", of(PLAIN.replace('"major":', '"major": '))), ("a space behind a comma", of(PLAIN.replace(',"minor"', ', "minor"'))), ("a line end in it", of(PLAIN.replace(',"minor"', ',\r\n"minor"'))), ("a comma too many", of(PLAIN[:-1] + ",}")), ("a name in upper case", of(PLAIN.replace('"major"', '"Major"'))),
    ("an escape without need in a group", named(("RG\\u0032" + keyed("RG2")[3:], PLAIN))), ("a member as a number", of(version(member="1"))), ("a member of null", of(version(member="null"))), ("a control in the name of a group", named(("RG\\u0001" + keyed("RG2")[3:], PLAIN))), ("a line end in the name of a group", named(("RG2\\r\\nX: y" + keyed("RG2")[3:], PLAIN))),
]
for why, key in [("without a UUID", "RG2"), ("with an empty UUID", "RG2/"), ("that is a UUID alone", keyed("RG2")[4:]), ("with a UUID of 31 digits", keyed("RG2")[:-1]), ("with a UUID of 33 digits", keyed("RG2") + "0"),
                 ("with a UUID in upper case", "RG2/" + "A" * 32), ("with a g in its UUID", "RG2/" + "g" * 32), ("with a colon for the stroke", keyed("RG2").replace("/", ":")), ("with its UUID in front", keyed("RG2")[4:] + "/RG2"),
                 ("with a space behind the stroke", keyed("RG2").replace("/", "/ ")), ("with dashes in its UUID", "RG2/00000000-0000-0000-0000-000000000002"), ("with two UUIDs and no stroke between", keyed("RG2") + keyed("RG2")[4:])]:
    REFUSED.append((f"a group {why}", named((key, PLAIN))))
ACCEPTED += [("a name with two UUIDs, one after the other", named(*[(f"RG2/{uuid:032x}", PLAIN) for uuid in (2, 3)])), ("a name with a stroke in it", named((keyed("RG2").replace("RG2", "R/G"), PLAIN))), ("a version of a tombstone", of(version(counter="18446744073709551615", nonce="0", major="0")))]
for field, limit in [("counter", "18446744073709551616"), ("nonce", "18446744073709551616"), ("major", "4294967296"), ("minor", "4294967296"), ("user", "4294967296")]:
    for why, text in [("one too great", limit), ("negative", "-1"), ("with a leading zero", "01"), ("as a fraction", "1.0"), ("with an exponent", "1e0"), ("as a text", '"1"'), ("in hexadecimal", "0x1"), ("of null", "null"), ("as a list", "[1]")]:
        REFUSED.append((f"the {field} {why}", of(version(**{field: text}))))


def book():
    book = Book("trace", "link-state", "member", "smtp", ("3yz", "5yz"))
    for valid, texts in [(True, ACCEPTED), (False, REFUSED)]:
        for why, text in texts:
            envelope = ENVELOPE % text
            digest = hashlib.sha256(envelope.encode() + hashlib.sha256(BODY.encode()).digest()).hexdigest()
            line = f"X-SUBMIT OFFER ID={{ehlo}}/0123456789abcdef/9 OFFER=1 ENVELOPE={len(envelope.encode())} BODY={len(BODY)} DIGEST={digest}"
            clauses = ["CU-023", "WI-080"] if valid else ["WI-082", "SM-025"]
            if not valid and ("in the name of" in why or why.startswith("a group ")):
                clauses = ["WI-084", "SM-025"]
            book.add(f"routed by {why}", line, valid, clauses, HELLO + NEWS, content=envelope + BODY)
    return book
