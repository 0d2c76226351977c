----------------------------- MODULE LinkState -----------------------------
(***************************************************************************)
(* How news of broken connectors travels, and how mail follows it, chapter *)
(* "LINK STATE" of the specification.  Members in groups, each with a table*)
(* that keeps the greatest record of each group; NEWS and MERGED on each   *)
(* channel between two members; one message on its way to a group.         *)
(*                                                                         *)
(* A version is its minor number here: the term, and who writes a record   *)
(* in it, is the matter of MASTER; major and user numbers change like      *)
(* minor ones.  Time is not in the model: a judgement falls at some time   *)
(* after a connector broke, damping only delays what is published, and a   *)
(* source that stands by may back up at any time.  That a master takes a   *)
(* source for absent (LS-233) is not in it: a dead one stays available.    *)
(*                                                                         *)
(* An action has the name of the step in the specification that it is; the *)
(* clause is named beside it.  Bug plants one wrong rule, so that for each *)
(* property there is a configuration in which it does not hold.            *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, Sequences, TLC

CONSTANTS
  Shape,          \* the organization, one of those below
  Dead,           \* members that are dead all the time
  SlowDisk,       \* whether a record is stored later than it is merged, or in the same step
  SlowRoutes,     \* whether routes are computed later than the table grows, or in the same step
  Fragile,        \* the connectors that may break, by their number; {} is all
  MaxBreaks,      \* how often one breaks, in sum
  Heals,          \* whether what broke may work again
  MaxLosses,      \* connections that are lost while their connector works, in sum
  MaxCrashes,     \* crashes of any member, in sum
  MaxBurials,     \* how often operators bury group 3, in sum
  MaxForgeries,   \* records that appear with a version that there is and another content, in sum
  Bug             \* "none", or the name of a planted fault

(***************************************************************************)
(* The organizations.  A channel leads from one member to another; those   *)
(* between two groups are the connectors, and they come first.             *)
(***************************************************************************)

(* line: no connector has an alternative.  triangle: 3 reaches 2 by 1, as  *)
(* long as 1 reaches it.  inside: the same with two members in group 1:    *)
(* its master, 1, carries the connector to 3, and 4 that to 2.  doors:     *)
(* group 3 is entered at 4 and left at its master, 3, which may know less  *)
(* and more than 1 does.  aside: 4 carries every connector of group 1,     *)
(* whose master, 1, carries none.  shared: two groups, and a connector of  *)
(* two sources, first 4 and then the master, 1, where the message is born; *)
(* its alternative is one that 1 carries alone.  swapped: first 1 and then *)
(* 4, where the message is born.                                           *)
Members ==
  CASE Shape \in {"line", "triangle"} -> 1..3
    [] Shape \in {"shared", "swapped"} -> {1, 2, 4}
    [] OTHER -> 1..4
GroupOf(m) == CASE m < 4 -> m [] Shape \in {"inside", "aside", "shared", "swapped"} -> 1 [] OTHER -> 3
Ends == CASE Shape = "line" -> <<<<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>>>
          [] Shape = "triangle" -> <<<<1, 2>>, <<2, 1>>, <<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>>>
          [] Shape = "inside" -> <<<<4, 2>>, <<2, 4>>, <<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "aside" -> <<<<4, 2>>, <<2, 4>>, <<4, 3>>, <<3, 4>>, <<3, 2>>, <<2, 3>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "shared" -> <<<<4, 2>>, <<1, 2>>, <<1, 2>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "swapped" -> <<<<1, 2>>, <<4, 2>>, <<1, 2>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "doors" -> <<<<1, 4>>, <<3, 1>>, <<3, 2>>, <<2, 3>>, <<2, 1>>, <<3, 4>>, <<4, 3>>>>
Channels == 1..Len(Ends)
From(ch) == Ends[ch][1]
To(ch) == Ends[ch][2]
Crossings == {ch \in Channels : GroupOf(From(ch)) # GroupOf(To(ch))}
(* A connector with several sources has a channel for each of them, in the *)
(* order of its group's record, and the number of the first one.           *)
Name(ch) == IF Shape \in {"shared", "swapped"} /\ ch = 2 THEN 1 ELSE ch
Connectors == {ch \in Crossings : Name(ch) = ch}
Sources(c) == {ch \in Crossings : Name(ch) = c}
IsShared(ch) == ch \in Crossings /\ Sources(Name(ch)) # {ch}
Cost(c) == IF {From(c), To(c)} = {2, 3} THEN 3 ELSE 1

Groups == IF Shape \in {"shared", "swapped"} THEN 1..2 ELSE 1..3
Master(g) == g                                \* the member with the number of the group
Living == Members \ Dead
Start == IF Shape \in {"aside", "swapped"} THEN 4 ELSE 1     \* the member at which the message is born
Goal == 2                                     \* the group for which it is

Leaving(g) == {c \in Connectors : GroupOf(From(c)) = g}

VARIABLES
  link,           \* whether each connector works from each of its sources
  judged,         \* what that has decided: works, or not; memory
  heard,          \* what the master of its group has heard of it; memory
  known,          \* the table of each member, in memory
  stored,         \* and on its disk
  computed,       \* and the one from which its routes are computed
  owed,           \* the groups whose records each channel's opener owes to the far end
  ask,            \* of each source of several: whether it asks before it tells, while it stands by
  wire,           \* what is under way on each channel: NEWS, or its MERGED
  told,           \* the record of each group that the far end is known to have, by its place in the order
  mail,           \* where the message is, and the greatest versions that have routed it
  crossed,        \* for each connector by which table the message has crossed it last
  carried,        \* the greatest record of each group that any of several sources has told, and whether that stood by
  breaks, losses, crashes, burials, forgeries

tables == <<known, stored, computed>>
connections == <<owed, ask, wire, told, carried>>
post == <<mail, crossed>>
faults == <<breaks, losses, crashes, burials, forgeries>>
vars == <<link, judged, heard, tables, connections, post, faults>>

-----------------------------------------------------------------------------
(* Records.                                                                *)

(* LS-002: of two records with one version the digest decides.  Any order  *)
(* of contents will do; here it is a number that has a bit for each        *)
(* connector that is down.                                                 *)
Bit(c, down) == IF c \in down THEN 2^c ELSE 0
Digest(down) == Bit(1, down) + Bit(2, down) + Bit(3, down) + Bit(4, down) + Bit(5, down) + Bit(6, down)

(* What everybody has of each group at first.                              *)
Nothing == [minor |-> 0, dead |-> FALSE, down |-> {}, out |-> {}]

(* An operator's tombstone is greater than any version.                    *)
Tombstone(g) == [minor |-> 0, dead |-> TRUE, down |-> Leaving(g), out |-> {}]
Version(r) == IF r.dead /\ Bug # "tombstone-ignored" THEN 100 ELSE r.minor
(* Where a record stands in the order of all records of its group; 0 is    *)
(* for none.                                                               *)
Place(r) == 100 * Version(r) + (IF MaxForgeries = 0 \/ Bug = "no-digest-order" THEN 0 ELSE Digest(r.down)) + 1

Versions(table) == [g \in Groups |-> Version(table[g])]
Places(table) == [g \in Groups |-> Place(table[g])]
AtLeast(a, b) == \A g \in Groups : a[g] >= b[g]
Greatest(a, b) == [g \in Groups |-> IF a[g] >= b[g] THEN a[g] ELSE b[g]]

-----------------------------------------------------------------------------
(* Routes.                                                                 *)

(* The paths between two groups over these connectors; with three groups   *)
(* one without a circle has at most two.                                   *)
Paths(g, to, usable) ==
  LET ends == {c \in usable : GroupOf(To(c)) = to}
  IN {<<c>> : c \in ends \cap Leaving(g)}
       \union {<<c, d>> : c \in (usable \ ends) \cap Leaving(g), d \in {e \in ends : GroupOf(From(e)) # g}}

(* LS-030: persistent is a connector without a configured alternative.     *)
Persistent == {c \in Connectors : Paths(GroupOf(From(c)), GroupOf(To(c)), Connectors \ {c}) = {}}

(* LS-040: the least cost, then the fewest hops, then the least name.      *)
Sum(p) == IF Len(p) = 1 THEN Cost(p[1]) ELSE Cost(p[1]) + Cost(p[2])
Weight(p) == Sum(p) * 100 + Len(p) * 10 + p[1]

(* The first connector of the best path with these connectors down; none is*)
(* infinite cost (LS-043).                                                 *)
First(g, down) ==
  LET paths == Paths(g, Goal, Connectors \ down)
      best == CHOOSE p \in paths : \A q \in paths : Weight(p) <= Weight(q)
  IN IF g = Goal \/ paths = {} THEN {} ELSE {best[1]}

(* LS-040, LS-041: by the table alone.                                     *)
Unusable(m) ==
  UNION {computed[m][g].down : g \in Groups}
    \union IF Bug = "private-knowledge" THEN {Name(c) : c \in {d \in Crossings : From(d) = m /\ ~judged[d]}} ELSE {}

(* LS-042: who carries the message over a connector, by the table of m: m  *)
(* itself, unless it is not available and another source is; otherwise the *)
(* first one that is.                                                      *)
Least(set) == CHOOSE n \in set : \A o \in set : n <= o
Carrier(m, c) ==
  LET able == Sources(c) \ computed[m][GroupOf(m)].out
      own == {ch \in Sources(c) : From(ch) = m}
  IN IF own # {} /\ (able = {} \/ own \subseteq able) THEN Least(own) ELSE Least(able)

(* The channel that the message takes from here: over the connector, or to *)
(* the member that carries it.                                             *)
Next(m) ==
  LET over == {Carrier(m, first) : first \in First(GroupOf(m), Unusable(m))}
  IN {ch \in Channels : From(ch) = m /\ (ch \in over \/ \E far \in over : To(ch) = From(far))}

-----------------------------------------------------------------------------
(* The exchange.                                                           *)

Works(ch) == IF ch \in Crossings THEN link[ch] ELSE {From(ch), To(ch)} \cap Dead = {}

(* LS-230: the sources that tell rather than this one: those before it that*)
(* its table does not name as not available, and all of these when it is   *)
(* named itself.                                                           *)
Before(ch) ==
  LET out == known[From(ch)][GroupOf(From(ch))].out
  IN {other \in Sources(Name(ch)) \ (out \union {ch}) : other < ch \/ ch \in out}
IsBehind(ch) == IsShared(ch) /\ Before(ch) # {}
StandsBy(ch) == IsBehind(ch) /\ Bug # "every-source-tells"

(* LS-017: to whom a record is owed by which the table of m has grown: not *)
(* to who told it, not to its group, and not to the group that it is about *)
(* unless that has not written it.                                         *)
Owing(m, g, foreign, teller, ch) ==
  /\ From(ch) = m
  /\ Bug = "nobody-forwards" => m = Master(g)
  /\ Bug = "only-masters-forward" => m = Master(GroupOf(m))
  /\ \/ Bug = "echo"
     \/ /\ To(ch) # teller
        /\ ch \in Crossings /\ teller # 0 => GroupOf(To(ch)) # GroupOf(teller)
        /\ ch \in Crossings => GroupOf(To(ch)) # g \/ (foreign /\ Bug # "not-told-home")

(* LS-001: the greater record stays.                                       *)
IsNews(m, r) ==
  \/ Place(r) > Place(known[m][r.group])
  \/ Bug = "stale-merge" /\ r.minor # known[m][r.group].minor

Content(r) == [minor |-> r.minor, dead |-> r.dead, down |-> r.down, out |-> r.out]
Record(g, table) == [group |-> g, minor |-> table[g].minor, dead |-> table[g].dead,
                     down |-> table[g].down, out |-> table[g].out]

(* What a member knows when it has heard these records.                    *)
Merged(m, records) ==
  [g \in Groups |->
    IF \E r \in records : r.group = g /\ IsNews(m, r)
    THEN Content(CHOOSE r \in records : r.group = g) ELSE known[m][g]]

(* The table of m is this one from now on.                                 *)
Grow(m, table) ==
  /\ known' = [known EXCEPT ![m] = table]
  /\ stored' = IF SlowDisk THEN stored ELSE [stored EXCEPT ![m] = table]
  /\ computed' = IF SlowRoutes THEN computed ELSE [computed EXCEPT ![m] = table]

(* A tombstone, or a record that has met another content of its version.   *)
Foreign(m, r) ==
  \/ r.dead
  \/ Version(r) = Version(known[m][r.group]) /\ r.down # known[m][r.group].down

(* These debts are added; who stands by asks before it tells any (LS-231). *)
Owe(debt(_)) ==
  /\ owed' = [ch \in Channels |-> owed[ch] \union debt(ch)]
  /\ ask' = [ch \in Channels |-> ask[ch] \/ (IsShared(ch) /\ debt(ch) # {})]

(* What m owes when it has heard records from teller.                      *)
OweOn(m, records, teller) ==
  LET new == {r \in records : IsNews(m, r)}
      Debt(ch) == {r.group : r \in {s \in new : Owing(m, s.group, Foreign(m, s), teller, ch)}}
  IN Owe(Debt)

(* And when a record of g is in its table that nobody has told it.         *)
OweOwn(m, g, foreign) ==
  LET Debt(ch) == IF Owing(m, g, foreign, 0, ch) THEN {g} ELSE {}
  IN Owe(Debt)

(* The greatest place that each group's record has in this NEWS or before. *)
HasToo(ch, records) ==
  [g \in Groups |->
    IF \E r \in records : r.group = g /\ Place(r) > told[ch][g]
    THEN Place(CHOOSE r \in records : r.group = g) ELSE told[ch][g]]

Idle == [phase |-> "idle", records |-> {}, answers |-> {}]
Back(ch) == {back \in Channels : From(back) = To(ch) /\ To(back) = From(ch)}

(* What any source of this connector has told.                             *)
Carry(ch, records) ==
  carried' = [c \in DOMAIN carried |->
    IF c # Name(ch) THEN carried[c]
    ELSE [g \in Groups |->
      IF \E r \in records : r.group = g /\ Place(r) >= carried[c][g].place
      THEN [place |-> Place(CHOOSE r \in records : r.group = g), backup |-> IsBehind(ch)]
      ELSE carried[c][g]]]

(* LS-008, LS-011: the records that are owed and stored, one NEWS at a time.*)
Tell(ch) ==
  LET m == From(ch)
      due == {g \in owed[ch] : Bug = "tells-before-stored" \/ stored[m][g] = known[m][g]}
      news == {g \in due : Place(known[m][g]) > told[ch][g] \/ Bug = "echo"}
      records == {Record(g, known[m]) : g \in news}
  IN /\ Works(ch) /\ wire[ch] = Idle /\ due # {}
     /\ StandsBy(ch) => ~ask[ch]
     /\ owed' = [owed EXCEPT ![ch] = @ \ due]
     /\ wire' = IF news = {} THEN wire
                ELSE [wire EXCEPT ![ch] = [phase |-> "news", records |-> records, answers |-> {}]]
     /\ told' = [told EXCEPT ![ch] = HasToo(ch, records)]
     /\ Carry(ch, records)
     /\ UNCHANGED <<link, judged, heard, tables, ask, post, faults>>

(* LS-231: a source that stands by sends a query.  What works is connected *)
(* here, and stays so: for a source that stands by this is the opening too.*)
Ask(ch) ==
  /\ Works(ch) /\ wire[ch] = Idle /\ StandsBy(ch) /\ ask[ch]
  /\ ask' = [ask EXCEPT ![ch] = FALSE]
  /\ wire' = [wire EXCEPT ![ch] = [Idle EXCEPT !.phase = "query"]]
  /\ UNCHANGED <<link, judged, heard, tables, owed, told, carried, post, faults>>

(* LS-230: because of what it owes, when the sources before it had time.   *)
BackUp(ch) == owed[ch] # {} /\ Bug # "never-backs-up" /\ Ask(ch)

(* LS-019: or because mail wants its connection.                           *)
Want(ch) == mail.at = From(ch) /\ GroupOf(mail.at) # Goal /\ ch \in Next(mail.at) /\ Ask(ch)

(* LS-015, LS-120: the MERGED to a query; so few groups are told as a whole*)
(* table, which is also what equal digests say.                            *)
Show(ch) ==
  LET n == To(ch)
  IN /\ wire[ch].phase = "query" /\ stored[n] = known[n]
     /\ wire' = [wire EXCEPT ![ch] =
         [Idle EXCEPT !.phase = "shown", !.records = {Record(g, stored[n]) : g \in Groups}]]
     /\ UNCHANGED <<link, judged, heard, tables, owed, ask, told, carried, post, faults>>

(* LS-016: what is greater here than what was told.                        *)
Greater(n, records, table) ==
  {Record(r.group, table) : r \in {s \in records : Place(table[s.group]) > Place(s)}}

(* MERGED.  Which groups it answers about matters only while a connection  *)
(* may still end before it has come.                                       *)
Answering(news, greater) ==
  LET about == IF losses < MaxLosses \/ crashes < MaxCrashes THEN {r.group : r \in news} ELSE {}
  IN [phase |-> "merged", records |-> greater, answers |-> about]

Merge(ch) ==
  LET n == To(ch)
      records == wire[ch].records
      after == Merged(n, records)
  IN /\ wire[ch].phase = "news"
     /\ Grow(n, after)
     /\ OweOn(n, records, From(ch))
     /\ told' = [back \in Channels |->
                  IF back \in Back(ch) /\ Bug # "echo" THEN HasToo(back, records) ELSE told[back]]
     /\ wire' = [wire EXCEPT ![ch] = IF SlowDisk THEN [@ EXCEPT !.phase = "merging"]
                                     ELSE Answering(records, Greater(n, records, after))]
     /\ UNCHANGED <<link, judged, heard, carried, post, faults>>

(* LS-012: only when all that was told is stored.                          *)
Answer(ch) ==
  LET n == To(ch)
      records == wire[ch].records
      about == {r.group : r \in records}
  IN /\ wire[ch].phase = "merging"
     /\ Bug = "merged-before-stored" \/ \A g \in about : stored[n][g] = known[n][g]
     /\ wire' = [wire EXCEPT ![ch] = Answering(records, Greater(n, records, stored[n]))]
     /\ UNCHANGED <<link, judged, heard, tables, owed, ask, told, carried, post, faults>>

Confirm(ch) ==
  LET m == From(ch)
      records == wire[ch].records
  IN /\ wire[ch].phase \in {"merged", "shown"}
     /\ Grow(m, Merged(m, records))
     /\ IF Bug = "another-digest-is-known" /\ wire[ch].phase = "shown"
        THEN owed' = [owed EXCEPT ![ch] = {}] /\ UNCHANGED ask
        ELSE OweOn(m, records, To(ch))
     /\ told' = [told EXCEPT ![ch] = HasToo(ch, records)]
     /\ wire' = [wire EXCEPT ![ch] = Idle]
     /\ UNCHANGED <<link, judged, heard, carried, post, faults>>

(* LS-007; all that a member has not stored yet is stored by one write.    *)
Store(m) ==
  /\ stored[m] # known[m]
  /\ stored' = [stored EXCEPT ![m] = known[m]]
  /\ UNCHANGED <<link, judged, heard, known, computed, connections, post, faults>>

(* The routes follow the table; what grew in between is computed at once.  *)
Compute(m) ==
  /\ computed[m] # known[m]
  /\ computed' = [computed EXCEPT ![m] = known[m]]
  /\ UNCHANGED <<link, judged, heard, known, stored, connections, post, faults>>

-----------------------------------------------------------------------------
(* Detection.                                                              *)

(* LS-023, LS-025: the origin decides.                                     *)
Judge(c) ==
  /\ From(c) \notin Dead /\ judged[c] # link[c]
  /\ judged' = [judged EXCEPT ![c] = link[c]]
  /\ UNCHANGED <<link, heard, tables, connections, post, faults>>

(* What the master of the group does not carry itself.                     *)
Reported == {c \in Crossings : From(c) # Master(GroupOf(From(c)))}
Heard(c) == IF c \in Reported THEN heard[c] ELSE judged[c]

(* The group port: the master hears what its bridgeheads have decided.     *)
Report(c) ==
  /\ c \in Reported /\ Master(GroupOf(From(c))) \notin Dead /\ heard[c] # judged[c]
  /\ heard' = [heard EXCEPT ![c] = judged[c]]
  /\ UNCHANGED <<link, judged, tables, connections, post, faults>>

(* LS-103: of several sources, those that do not report UP while one does. *)
NotAvailable(g) ==
  {ch \in Crossings : GroupOf(From(ch)) = g /\ ~Heard(ch) /\ \E other \in Sources(Name(ch)) : Heard(other)}

(* LS-030: the master publishes what has changed, but for what is          *)
(* persistent; and nothing of a group that is buried.  MA-004: a connector *)
(* is down when all its sources say so.                                    *)
Publish(g) ==
  LET m == Master(g)
      lost == {c \in Leaving(g) : \A ch \in Sources(c) : ~Heard(ch)}
      down == {c \in lost : Bug = "down-on-a-cut-edge" \/ c \notin Persistent}
      record == [minor |-> known[m][g].minor + 1, dead |-> FALSE, down |-> down, out |-> NotAvailable(g)]
  IN /\ m \notin Dead /\ (known[m][g].down # down \/ known[m][g].out # record.out)
     /\ known[m][g].dead => Bug = "tombstone-ignored"
     /\ Grow(m, [known[m] EXCEPT ![g] = record])
     /\ OweOwn(m, g, FALSE)
     /\ UNCHANGED <<link, judged, heard, wire, told, carried, post, faults>>

-----------------------------------------------------------------------------
(* Mail.                                                                   *)

(* LS-018, LS-019, LS-045: news first; by a table that is not smaller than *)
(* any that has routed the message.  That is the table from which routes   *)
(* are computed, not the one that is known.                                *)
Hop(ch) ==
  LET m == From(ch)
      by == Versions(computed[m])
  IN /\ mail.at = m /\ GroupOf(m) # Goal
     /\ Works(ch)
     /\ \/ wire[ch] = Idle /\ owed[ch] = {} /\ stored[m] = known[m] /\ (StandsBy(ch) => ~ask[ch])
        \/ Bug = "mail-before-news"
        \/ Bug = "mail-before-the-answer" /\ IsBehind(ch)
     /\ ch \in Next(m)
     /\ CASE Bug = "routes-by-a-smaller-table" -> TRUE
          [] Bug = "covers-asks-the-known-table" -> AtLeast(Versions(known[m]), mail.over)
          [] OTHER -> AtLeast(by, mail.over)
     /\ mail' = [at |-> To(ch), over |-> Greatest(mail.over, by)]
     /\ crossed' = IF ch \in Crossings THEN [crossed EXCEPT ![Name(ch)] = <<Places(computed[m])>>] ELSE crossed
     /\ UNCHANGED <<link, judged, heard, tables, connections, faults>>

-----------------------------------------------------------------------------
(* Faults.                                                                 *)

(* What has been told on this channel without an answer.                   *)
InFlight(ch) == wire[ch].answers \union IF wire[ch].phase = "shown" THEN {} ELSE {r.group : r \in wire[ch].records}

(* The connections of these channels end.  What the far ends have is not   *)
(* known any more, and this is owed on them from now on.  Who stands by    *)
(* asks on the next one first; what is told again is counted anew.         *)
End(gone, debt(_)) ==
  /\ wire' = [ch \in Channels |-> IF ch \in gone THEN Idle ELSE wire[ch]]
  /\ told' = [ch \in Channels |-> IF ch \in gone THEN [g \in Groups |-> 0] ELSE told[ch]]
  /\ owed' = [ch \in Channels |->
      IF ch \notin gone THEN owed[ch] ELSE IF Bug = "owed-is-forgotten" THEN {} ELSE debt(ch)]
  /\ ask' = [ch \in Channels |-> ask[ch] \/ (ch \in gone /\ IsShared(ch))]
  /\ carried' = [c \in DOMAIN carried |->
      LET again == UNION {IF IsBehind(ch) THEN InFlight(ch) ELSE debt(ch) : ch \in gone \cap Sources(c)}
      IN [g \in Groups |-> IF g \in again THEN [carried[c][g] EXCEPT !.place = 0] ELSE carried[c][g]]]

(* The first NEWS of the next one compares the tables (LS-010, LS-014).    *)
Everything(ch) == Groups

(* Whoever opened a connection keeps what it owes on it, and owes again    *)
(* what it has told without an answer: whether NEWS or its MERGED is lost. *)
Kept(ch) ==
  CASE Bug = "lost-news-is-told" -> owed[ch]
    [] Bug = "lost-merged-is-merged" /\ wire[ch].phase # "news" -> owed[ch]
    [] OTHER -> owed[ch] \union InFlight(ch)

Break(c) ==
  /\ breaks < MaxBreaks /\ link[c] /\ (Fragile = {} \/ c \in Fragile)
  /\ breaks' = breaks + 1
  /\ link' = [link EXCEPT ![c] = FALSE]
  /\ End({c}, Everything)
  /\ UNCHANGED <<judged, heard, tables, post, losses, crashes, burials, forgeries>>

Heal(c) ==
  /\ Heals /\ ~link[c] /\ {From(c), To(c)} \cap Dead = {}
  /\ link' = [link EXCEPT ![c] = TRUE]
  /\ UNCHANGED <<judged, heard, tables, connections, post, faults>>

(* One over a connector ends by itself, in either direction; the connection*)
(* of the group port has both, and begins with a query from both ends.     *)
Lose(ch) ==
  /\ losses < MaxLosses /\ Works(ch)
  /\ losses' = losses + 1
  /\ IF ch \in Crossings THEN End({ch}, Kept) ELSE End({ch} \union Back(ch), Everything)
  /\ UNCHANGED <<link, judged, heard, tables, post, breaks, crashes, burials, forgeries>>

(* What is owed after m has died and booted: it has forgotten what it owed,*)
(* and begins each connection with a query (LS-047); the others, who lost a*)
(* connection to it, have not.                                             *)
OwedAnew(m, ch) ==
  CASE From(ch) = m /\ Bug = "boots-silently" -> {}
    [] From(ch) = m \/ ch \notin Crossings -> Groups
    [] OTHER -> Kept(ch)

(* What a table says of a connector and this source of it.                 *)
Stands(c, table) == Name(c) \notin table[GroupOf(From(c))].down /\ c \notin table[GroupOf(From(c))].out

(* A member dies and boots: it has its disk (LS-006, LS-029).              *)
Crash(m) ==
  LET disk == IF Bug = "boots-empty" THEN [g \in Groups |-> Nothing] ELSE stored[m]
      Debt(ch) == OwedAnew(m, ch)
  IN /\ crashes < MaxCrashes /\ m \notin Dead
     /\ crashes' = crashes + 1
     /\ known' = [known EXCEPT ![m] = disk]
     /\ stored' = [stored EXCEPT ![m] = disk]
     /\ computed' = [computed EXCEPT ![m] = disk]
     /\ judged' = [c \in Crossings |-> IF From(c) = m THEN Stands(c, disk) ELSE judged[c]]
     /\ heard' = [c \in Crossings |->
         IF c \in Reported /\ Master(GroupOf(From(c))) = m THEN Stands(c, disk) ELSE heard[c]]
     /\ End({ch \in Channels : m \in {From(ch), To(ch)}}, Debt)
     /\ UNCHANGED <<link, post, breaks, losses, burials, forgeries>>

(* A record that its group has not written is in the table of m.           *)
Appears(m, g, record) ==
  /\ Grow(m, [known[m] EXCEPT ![g] = record])
  /\ OweOwn(m, g, TRUE)

(* An operator buries group 3, by which the message may go, at some member,*)
(* whatever that knows of it.                                              *)
Bury(m) ==
  /\ burials < MaxBurials /\ m \notin Dead /\ ~known[m][3].dead
  /\ burials' = burials + 1
  /\ Appears(m, 3, Tombstone(3))
  /\ UNCHANGED <<link, judged, heard, wire, told, carried, post, breaks, losses, crashes, forgeries>>

(* What must not be, and is healed all the same: somebody else has written *)
(* another record of a group under the version that its master gave.       *)
Forge(m, g, down) ==
  /\ forgeries < MaxForgeries /\ m \notin Dead /\ Digest(down) > Digest(known[m][g].down)
  /\ forgeries' = forgeries + 1
  /\ Appears(m, g, [known[m][g] EXCEPT !.down = down])
  /\ UNCHANGED <<link, judged, heard, wire, told, carried, post, breaks, losses, crashes, burials>>

-----------------------------------------------------------------------------
Init ==
  /\ link = [c \in Crossings |-> {From(c), To(c)} \cap Dead = {}]
  /\ judged = [c \in Crossings |-> TRUE]
  /\ heard = [c \in Crossings |-> TRUE]
  /\ known = [m \in Members |-> [g \in Groups |-> Nothing]]
  /\ stored = known /\ computed = known
  /\ owed = [ch \in Channels |-> {}]
  /\ ask = [ch \in Channels |-> IsShared(ch)]
  /\ wire = [ch \in Channels |-> Idle]
  /\ told = [ch \in Channels |-> [g \in Groups |-> 1]]
  /\ mail = [at |-> Start, over |-> [g \in Groups |-> 0]]
  /\ crossed = [c \in Connectors |-> <<>>]
  /\ carried = [c \in {d \in Connectors : IsShared(d)} |-> [g \in Groups |-> [place |-> 1, backup |-> FALSE]]]
  /\ breaks = 0 /\ losses = 0 /\ crashes = 0 /\ burials = 0 /\ forgeries = 0

Steps ==
  \/ \E ch \in Channels : Tell(ch) \/ Merge(ch) \/ Answer(ch) \/ Confirm(ch) \/ Hop(ch)
  \/ \E ch \in Crossings : BackUp(ch) \/ Want(ch) \/ Show(ch)
  \/ \E c \in Crossings : Judge(c) \/ Report(c)
  \/ \E g \in Groups : Publish(g)
  \/ \E m \in Members : Store(m) \/ Compute(m)

Faults ==
  \/ \E c \in Crossings : Break(c) \/ Heal(c)
  \/ \E ch \in Channels : Lose(ch)
  \/ \E m \in Members : Crash(m) \/ Bury(m)
  \/ MaxForgeries > 0 /\ \E m \in Members, g \in Groups : \E down \in SUBSET Leaving(g) : Forge(m, g, down)

Spec == Init /\ [][Steps \/ Faults]_vars

(* Somebody who can go on does: no more than that, and nothing has to heal.*)
FairSpec == Spec /\ WF_vars(Steps)

-----------------------------------------------------------------------------
(* What must hold.                                                         *)

Phases == {"idle", "news", "merging", "merged", "query", "shown"}
Told(ch) == wire[ch].records

TypeOK ==
  /\ \A c \in Crossings : {link[c], judged[c], heard[c]} \subseteq BOOLEAN
  /\ \A m \in Members, g \in Groups :
      /\ known[m][g].down \subseteq Leaving(g)
      /\ \A ch \in known[m][g].out : IsShared(ch) /\ Name(ch) \notin known[m][g].down
  /\ \A ch \in Channels :
      /\ owed[ch] \subseteq Groups
      /\ wire[ch].phase \in Phases
      /\ wire[ch].phase = "idle" => wire[ch] = Idle
      /\ wire[ch].phase # "merged" => wire[ch].answers = {}
      /\ ask[ch] => IsShared(ch)
      /\ ~Works(ch) => wire[ch] = Idle
  /\ mail.at \in Members

(* LS-002 is for what goes wrong beneath this: no two records have one     *)
(* version and two contents.                                               *)
OneContent ==
  /\ \A m, n \in Members, g \in Groups :
      Version(stored[m][g]) = Version(known[n][g]) => stored[m][g] = known[n][g]
  /\ \A ch \in Channels, m \in Members : \A r \in Told(ch) :
      Version(r) = Version(known[m][r.group]) => Content(r) = known[m][r.group]

(* LS-008.                                                                 *)
ToldIsStored ==
  \A ch \in Channels : wire[ch].phase = "news" =>
    \A r \in Told(ch) : Place(r) <= Place(stored[From(ch)][r.group])

(* LS-030.                                                                 *)
PersistentStaysUp ==
  \A m \in Members, g \in Groups : ~known[m][g].dead => known[m][g].down \cap Persistent = {}

(* LS-012, LS-019: the table on the disk of the member that has the message*)
(* covers those that have routed it.  This is for groups of one member: in *)
(* others, whoever learned a record from one member of a group may hand the*)
(* message to another one that has not heard it yet, where it waits        *)
(* (LS-045).                                                               *)
NewsBeforeMail == AtLeast(Versions(stored[mail.at]), mail.over)

(* LS-001, LS-006: tables only grow.                                       *)
TablesGrow ==
  [][\A m \in Members, g \in Groups : Place(stored'[m][g]) >= Place(stored[m][g])]_vars

(* A group that is buried stays dead, at whoever knows it.                 *)
StaysDead ==
  [][\A m \in Members, g \in Groups : stored[m][g].dead => stored'[m][g].dead]_vars

(* LS-017: while a connection lasts, it carries each version once.  And so *)
(* do the sources of a connector together, but where there is no way to    *)
(* know (LS-230): who stands by may have asked too early, for mail or by   *)
(* its own time, and been shown that it was not there; the first source    *)
(* does not hear of that, nor of anything while its connection is broken.  *)
Begins(ch) == wire[ch].phase = "idle" /\ wire'[ch].phase = "news"
IsNew(ch, r) == Place(r) > carried[Name(ch)][r.group].place
CarriedOnce ==
  [][\A ch \in Channels : Begins(ch) =>
      \A r \in wire'[ch].records :
        /\ Place(r) > told[ch][r.group]
        /\ IsShared(ch) =>
            \/ IsNew(ch, r)
            \/ IF IsBehind(ch) THEN ~ask[ch] ELSE carried[Name(ch)][r.group].backup \/ told[ch][r.group] = 0]_vars

(* LS-230 without an excuse: where nobody asks before each source before it*)
(* that works has heard and told what is owed, nothing crosses twice.      *)
HasTold(first, ch) ==
  \/ ~Works(first)
  \/ /\ wire[first] = Idle /\ owed[first] \cap owed[ch] = {}
     /\ \A g \in owed[ch] : Place(known[From(first)][g]) >= Place(known[From(ch)][g])
InTime ==
  \A ch \in Crossings : wire[ch].phase = "idle" /\ wire'[ch].phase = "query" =>
    \A first \in Before(ch) : HasTold(first, ch)
OnceInTime ==
  [][\A ch \in Crossings : Begins(ch) /\ IsShared(ch) => \A r \in wire'[ch].records : IsNew(ch, r)]_vars

(* LS-045.                                                                 *)
RoutesGrow ==
  [][mail' # mail => AtLeast(Versions(computed[mail.at]), mail.over)]_vars

(* C4: a message crosses a connector again only by a table that is greater *)
(* in the order of the records.                                            *)
NoPingPong ==
  [][\A ch \in Crossings :
       mail' # mail /\ From(ch) = mail.at /\ To(ch) = mail'.at /\ crossed[Name(ch)] # <<>> =>
         LET by == Places(computed[mail.at])
         IN AtLeast(by, crossed[Name(ch)][1]) /\ by # crossed[Name(ch)][1]]_vars

(* C5: everybody has the same table, and it says of each connector of a    *)
(* group that lives and has a master what is true, and of a dead source    *)
(* what it has said last.                                                  *)
Agreed == \A m, n \in Living : stored[m] = stored[n] /\ computed[m] = stored[n]
Gone(sources) == \A ch \in sources : ~link[ch] /\ From(ch) \notin Dead
Converged ==
  /\ Agreed
  /\ \A m \in Living, g \in Groups :
      Master(g) \in Dead \/ stored[m][g].dead
        \/ /\ stored[m][g].down = {c \in Leaving(g) : Gone(Sources(c)) /\ c \notin Persistent}
           /\ stored[m][g].out = {ch \in Crossings : GroupOf(From(ch)) = g /\ Gone({ch}) /\ ~Gone(Sources(Name(ch)))}

(* C5 without liveness: nobody rests before it is so.                      *)
RestsConverged == Converged \/ ENABLED Steps

(* In the end it is so, and the message is there.                          *)
Converges == <>[]Converged
Settles == Converges /\ <>(GroupOf(mail.at) = Goal)
=============================================================================
