"""Exits in records: their grammar, and what no table takes."""

from additions import HEAD, UUID, ids

# The tokens of a record with an exit that has everything; those with a name are what is tested here.
TOKENS = [
    (f"{HEAD} ()", ""),
    ("EXITS", "EXITS"), ("(", "the opening of the exits"), ("{4}away", "the name of an exit"), ("(", "the opening of an exit"),
    ("SPACES", "SPACES of an exit"), ("(", "the opening of the spaces of an exit"), ("{1}*", "the space of an exit"), (")", "the closing of the spaces of an exit"),
    ("COST", "COST of an exit"), ("a", "the cost of an exit"),
    ("BH", "BH of an exit"), ("(", "the opening of the sources of an exit"), ("{5}rg2-a", "the source of an exit"), (")", "the closing of the sources of an exit"),
    ("SCOPE", "SCOPE of an exit"), ("GROUP", "GROUP of an exit"),
    ("RESTRICT", "RESTRICT of an exit"), ("( SIZE 400 )", "the restrictions of an exit"),
    (")", "the closing of an exit"), (")", "the closing of the exits"),
    (")", ""),
]
TEXTS = [token for token, _ in TOKENS]


def exit_of(name="{4}away", spaces="( {1}* )", cost="a", sources="( {5}rg2-a )", behind=""):
    return f"{name} ( SPACES {spaces} COST {cost} BH {sources}{behind} )"


def with_exits(*exits, before=""):
    return f"{HEAD} (){before} EXITS ( {' '.join(exits)} ) )"


def with_spaces(*spaces):
    return with_exits(exit_of(spaces="( " + " ".join(f"{{{len(space):x}}}{space}" for space in spaces) + " )"))


def shapes():
    """Each token missing; those that stand alone twice, and each word in another form."""
    for place, (token, name) in enumerate(TOKENS):
        if not name:
            continue
        front, behind = TEXTS[:place], TEXTS[place + 1:]
        yield f"without {name}", " ".join(front + behind)
        if token.isupper():
            yield f"with {name} said twice", " ".join([*front, token, token, *behind])
            yield f"with {name} in lower case", " ".join([*front, token.lower(), *behind])
            yield f"with {name} longer by a letter", " ".join([*front, token + "S", *behind])


def values():
    """What an exit may be, the limits of it, and one over."""
    yield "with an exit that has everything", " ".join(TEXTS)
    yield "with a plain exit", with_exits(exit_of())
    yield "with two exits", with_exits(exit_of(), exit_of("{5}world"))
    yield "with exits in an empty list", f"{HEAD} () EXITS () )"
    yield "with exits in an empty list with a space", f"{HEAD} () EXITS ( ) )"
    yield "with exits said in two lists", f"{HEAD} () EXITS ( {exit_of()} ) EXITS ( {exit_of('{5}world')} ) )"
    yield "with exits behind a lifetime", with_exits(exit_of(), before=" LIFETIME 258")
    yield "with exits in front of a lifetime", f"{HEAD} () EXITS ( {exit_of()} ) LIFETIME 258 )"
    yield "with exits in front of a reason", f"{HEAD} () EXITS ( {exit_of()} ) DELETED {{5}}moved )"
    yield "with exits in front of the connectors", f"{HEAD} EXITS ( {exit_of()} ) () )"
    for how, text in [("of 0", "0"), ("of 1", "1"), ("of 100", "64"), ("of 101", "65"), ("with a leading zero", "0a"), ("of 2^32 + 1", "100000001")]:
        yield f"with an exit and a cost {how}", with_exits(exit_of(cost=text))
    for how, other in [
        ("without spaces in its list", exit_of(spaces="()")), ("without sources in its list", exit_of(sources="()")), ("of scope ORGANIZATION", exit_of(behind=" SCOPE ORGANIZATION")), ("of scope MEMBER", exit_of(behind=" SCOPE MEMBER")),
        ("with its scope counted", exit_of(behind=" SCOPE {5}GROUP")), ("with its scope behind its restrictions", exit_of(behind=" RESTRICT ( SIZE 400 ) SCOPE GROUP")), ("with a state", exit_of(behind=" STATE UP")),
        ("with its restrictions empty", exit_of(behind=" RESTRICT ()")), ("with all restrictions", exit_of(behind=f" RESTRICT ( SIZE 400 PRIORITY ( LOW HIGH ) ALLOW ( {ids(10)} ) DENY ( {ids(11)} ) )")),
        ("with its cost in front of its spaces", "{4}away ( COST a SPACES ( {1}* ) BH ( {5}rg2-a ) )"), ("with its sources in front of its cost", "{4}away ( SPACES ( {1}* ) BH ( {5}rg2-a ) COST a )"),
        ("with a space that is not counted", exit_of(spaces="( * )")), ("with a source that is attached", exit_of(sources="( {5}rg2-a YES )")), ("with a target group", exit_of(behind=" CONFIG {3}RG1")),
        ("with an unavailable source", exit_of(behind=" CONN_NOT_AVAIL ( {5}rg2-a )")),
    ]:
        yield f"with an exit {how}", with_exits(other)
    yield "with an exit of 32 spaces", with_spaces(*(f"d{n:02}" for n in range(32)))
    yield "with an exit of 64 sources", with_exits(exit_of(sources="( " + " ".join(f"{{3}}m{n:02}" for n in range(64)) + " )"))
    yield "with an exit of each form of space", with_spaces("*", "*.partner.example", "partner.example", "xn--bcher-kva.example")
    yield "with an exit whose space is of 255 octets", with_spaces(".".join(["a" * 63] * 4))
    yield "with 64 exits", with_exits(*(exit_of(f"{{3}}e{n:02}") for n in range(64)))


def unmerged():
    """LS-211, LS-212, LS-173, LS-131: the grammar has it, and no table takes it."""
    yield "LS-211", "with exits out of order", with_exits(exit_of("{5}world"), exit_of())
    yield "LS-211", "with one exit twice", with_exits(exit_of(), exit_of())
    yield "LS-211", "with spaces of an exit out of order", with_spaces("partner.example", "*.partner.example")
    yield "LS-211", "with one space of an exit twice", with_spaces("partner.example", "partner.example")
    yield "LS-211", "with an exit of 33 spaces", with_spaces(*(f"d{n:02}" for n in range(33)))
    yield "LS-211", "with an exit of 65 sources", with_exits(exit_of(sources="( " + " ".join(f"{{3}}m{n:02}" for n in range(65)) + " )"))
    yield "LS-211", "with 65 exits", with_exits(*(exit_of(f"{{3}}e{n:02}") for n in range(65)))
    for how, space in [("in upper case", "Partner.example"), ("of no letters", ""), ("that is an asterisk and a dot", "*."), ("of two asterisks", "*.*"), ("with an asterisk in it", "a*.example"), ("with an asterisk and no dot", "*example"),
                       ("with two dots", "a..example"), ("that ends in a dot", "example."), ("that is an address literal", "[192.0.2.1]"), ("that is an address", "ann@partner.example"), ("of 257 octets", ".".join(["a"] * 129))]:
        yield "LS-212", f"with an exit and a space {how}", with_spaces(space)
    yield "LS-212", "with an exit and a space beyond ASCII", with_exits(exit_of(spaces="( {b}+C3+BC.test )"))
    yield "LS-211", "with an exit and priorities out of order", with_exits(exit_of(behind=" RESTRICT ( PRIORITY ( HIGH LOW ) )"))
    yield "LS-211", "with an exit and 17 ids denied", with_exits(exit_of(behind=f" RESTRICT ( DENY ( {ids(*range(17))} ) )"))
    yield "LS-131", "of a tombstone with an exit", f"( {UUID}9 {{3}}RG9 ffffffffffffffff {{5}}rg9-a 0 0 0 0 () () DELETED {{5}}moved EXITS ( {exit_of()} ) )"


def records():
    for part in [shapes, values]:
        for why, record in part():
            yield f"a record {why}", f"( {record} )"


def is_for_the_group_port(why):
    """One of each kind, and what is too long for one line of SMTP."""
    return any(part in why for part in ["with 64 exits", "has everything", "empty list", "of 101", "said in two lists", "of an exit said twice", "in front of a lifetime"])
