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
(* after a connector broke, and damping only delays what is published.     *)
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
(* whose master, 1, carries none.                                          *)
Members == IF Shape \in {"line", "triangle"} THEN 1..3 ELSE 1..4
GroupOf(m) == CASE m < 4 -> m [] Shape \in {"inside", "aside"} -> 1 [] OTHER -> 3
Ends == CASE Shape = "line" -> <<<<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>>>
          [] Shape = "triangle" -> <<<<1, 2>>, <<2, 1>>, <<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>>>
          [] Shape = "inside" -> <<<<4, 2>>, <<2, 4>>, <<1, 3>>, <<3, 1>>, <<3, 2>>, <<2, 3>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "aside" -> <<<<4, 2>>, <<2, 4>>, <<4, 3>>, <<3, 4>>, <<3, 2>>, <<2, 3>>, <<1, 4>>, <<4, 1>>>>
          [] Shape = "doors" -> <<<<1, 4>>, <<3, 1>>, <<3, 2>>, <<2, 3>>, <<2, 1>>, <<3, 4>>, <<4, 3>>>>
Channels == 1..Len(Ends)
From(ch) == Ends[ch][1]
To(ch) == Ends[ch][2]
Connectors == {ch \in Channels : GroupOf(From(ch)) # GroupOf(To(ch))}
Cost(c) == IF {From(c), To(c)} = {2, 3} THEN 3 ELSE 1

Groups == 1..3
Master(g) == g                                \* the member with the number of the group
Living == Members \ Dead
Start == IF Shape = "aside" THEN 4 ELSE 1     \* the member at which the message is born
Goal == 2                                     \* the group for which it is

Leaving(g) == {c \in Connectors : GroupOf(From(c)) = g}

VARIABLES
  link,           \* whether each connector works
  judged,         \* what its origin has decided: works, or not; memory
  heard,          \* what the master of its group has heard of it; memory
  known,          \* the table of each member, in memory
  stored,         \* and on its disk
  computed,       \* and the one from which its routes are computed
  owed,           \* the groups whose records each channel's opener owes to the far end
  wire,           \* what is under way on each channel: NEWS, or its MERGED
  told,           \* the record of each group that the far end is known to have, by its place in the order
  mail,           \* where the message is, and the greatest versions that have routed it
  crossed,        \* for each connector by which table the message has crossed it last
  breaks, losses, crashes, burials, forgeries

tables == <<known, stored, computed>>
connections == <<owed, wire, told>>
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
Nothing == [minor |-> 0, dead |-> FALSE, down |-> {}]

(* An operator's tombstone is greater than any version.                    *)
Tombstone(g) == [minor |-> 0, dead |-> TRUE, down |-> Leaving(g)]
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
    \union IF Bug = "private-knowledge" THEN {c \in Connectors : From(c) = m /\ ~judged[c]} ELSE {}

(* The channel that the message takes from here.  LS-042: by way of the    *)
(* member that carries the connector.                                      *)
Next(m) ==
  UNION {{ch \in Channels : ch = first \/ <<From(ch), To(ch)>> = <<m, From(first)>>} \cap {ch \in Channels : From(ch) = m} :
         first \in First(GroupOf(m), Unusable(m))}

-----------------------------------------------------------------------------
(* The exchange.                                                           *)

Works(ch) == IF ch \in Connectors THEN link[ch] ELSE {From(ch), To(ch)} \cap Dead = {}

(* LS-017: to whom a record is owed by which the table of m has grown: not *)
(* to who told it, not to its group, and not to the group that it is about *)
(* unless that has not written it.                                         *)
Owing(m, g, foreign, teller, ch) ==
  /\ From(ch) = m
  /\ Bug = "nobody-forwards" => m = Master(g)
  /\ Bug = "only-masters-forward" => m = Master(GroupOf(m))
  /\ \/ Bug = "echo"
     \/ /\ To(ch) # teller
        /\ ch \in Connectors /\ teller # 0 => GroupOf(To(ch)) # GroupOf(teller)
        /\ ch \in Connectors => GroupOf(To(ch)) # g \/ (foreign /\ Bug # "not-told-home")

(* LS-001: the greater record stays.                                       *)
IsNews(m, r) ==
  \/ Place(r) > Place(known[m][r.group])
  \/ Bug = "stale-merge" /\ r.minor # known[m][r.group].minor

Content(r) == [minor |-> r.minor, dead |-> r.dead, down |-> r.down]
Record(g, table) == [group |-> g, minor |-> table[g].minor, dead |-> table[g].dead, down |-> table[g].down]

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

(* What is owed, and what is known of others, when m has heard records     *)
(* from teller.                                                            *)
OwedBy(m, records, teller) ==
  LET new == {r \in records : IsNews(m, r)}
  IN [ch \in Channels |->
       IF From(ch) # m THEN owed[ch]
       ELSE owed[ch] \union {r.group : r \in {s \in new : Owing(m, s.group, Foreign(m, s), teller, ch)}}]

HasToo(ch, records) ==
  [g \in Groups |->
    IF \E r \in records : r.group = g /\ Place(r) > told[ch][g]
    THEN Place(CHOOSE r \in records : r.group = g) ELSE told[ch][g]]

Idle == [phase |-> "idle", records |-> {}, answers |-> {}]
Back(ch) == {back \in Channels : From(back) = To(ch) /\ To(back) = From(ch)}

(* LS-008, LS-011: the records that are owed and stored, one NEWS at a time.*)
Tell(ch) ==
  LET m == From(ch)
      due == {g \in owed[ch] : Bug = "tells-before-stored" \/ stored[m][g] = known[m][g]}
      news == {g \in due : Place(known[m][g]) > told[ch][g] \/ Bug = "echo"}
      records == {Record(g, known[m]) : g \in news}
  IN /\ Works(ch) /\ wire[ch] = Idle /\ due # {}
     /\ owed' = [owed EXCEPT ![ch] = @ \ due]
     /\ wire' = IF news = {} THEN wire ELSE [wire EXCEPT ![ch] = [phase |-> "news", records |-> records, answers |-> {}]]
     /\ told' = [told EXCEPT ![ch] = HasToo(ch, records)]
     /\ UNCHANGED <<link, judged, heard, tables, post, faults>>

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
     /\ owed' = OwedBy(n, records, From(ch))
     /\ told' = [back \in Channels |->
                  IF back \in Back(ch) /\ Bug # "echo" THEN HasToo(back, records) ELSE told[back]]
     /\ wire' = [wire EXCEPT ![ch] = IF SlowDisk THEN [@ EXCEPT !.phase = "merging"]
                                     ELSE Answering(records, Greater(n, records, after))]
     /\ UNCHANGED <<link, judged, heard, post, faults>>

(* LS-012: only when all that was told is stored.                          *)
Answer(ch) ==
  LET n == To(ch)
      records == wire[ch].records
      about == {r.group : r \in records}
  IN /\ wire[ch].phase = "merging"
     /\ Bug = "merged-before-stored" \/ \A g \in about : stored[n][g] = known[n][g]
     /\ wire' = [wire EXCEPT ![ch] = Answering(records, Greater(n, records, stored[n]))]
     /\ UNCHANGED <<link, judged, heard, tables, owed, told, post, faults>>

Confirm(ch) ==
  LET m == From(ch)
      records == wire[ch].records
  IN /\ wire[ch].phase = "merged"
     /\ Grow(m, Merged(m, records))
     /\ owed' = OwedBy(m, records, To(ch))
     /\ told' = [told EXCEPT ![ch] = HasToo(ch, records)]
     /\ wire' = [wire EXCEPT ![ch] = Idle]
     /\ UNCHANGED <<link, judged, heard, post, faults>>

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

(* The connectors that the master of their group does not carry itself.    *)
Reported == {c \in Connectors : From(c) # Master(GroupOf(From(c)))}
Heard(c) == IF c \in Reported THEN heard[c] ELSE judged[c]

(* The group port: the master hears what its bridgeheads have decided.     *)
Report(c) ==
  /\ c \in Reported /\ Master(GroupOf(From(c))) \notin Dead /\ heard[c] # judged[c]
  /\ heard' = [heard EXCEPT ![c] = judged[c]]
  /\ UNCHANGED <<link, judged, tables, connections, post, faults>>

(* LS-030: the master publishes what has changed, but for what is          *)
(* persistent; and nothing of a group that is buried.                      *)
Publish(g) ==
  LET m == Master(g)
      down == {c \in Leaving(g) : ~Heard(c) /\ (Bug = "down-on-a-cut-edge" \/ c \notin Persistent)}
      record == [minor |-> known[m][g].minor + 1, dead |-> FALSE, down |-> down]
  IN /\ m \notin Dead /\ known[m][g].down # down
     /\ known[m][g].dead => Bug = "tombstone-ignored"
     /\ Grow(m, [known[m] EXCEPT ![g] = record])
     /\ owed' = [ch \in Channels |-> IF Owing(m, g, FALSE, 0, ch) THEN owed[ch] \union {g} ELSE owed[ch]]
     /\ UNCHANGED <<link, judged, heard, wire, told, post, faults>>

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
     /\ Bug # "mail-before-news" => wire[ch] = Idle /\ owed[ch] = {} /\ stored[m] = known[m]
     /\ ch \in Next(m)
     /\ CASE Bug = "routes-by-a-smaller-table" -> TRUE
          [] Bug = "covers-asks-the-known-table" -> AtLeast(Versions(known[m]), mail.over)
          [] OTHER -> AtLeast(by, mail.over)
     /\ mail' = [at |-> To(ch), over |-> Greatest(mail.over, by)]
     /\ crossed' = IF ch \in Connectors THEN [crossed EXCEPT ![ch] = <<Places(computed[m])>>] ELSE crossed
     /\ UNCHANGED <<link, judged, heard, tables, connections, faults>>

-----------------------------------------------------------------------------
(* Faults.                                                                 *)

(* The connections of these channels end.  What the far ends have is not   *)
(* known any more, and this is owed on them from now on.                   *)
End(gone, debt(_)) ==
  /\ wire' = [ch \in Channels |-> IF ch \in gone THEN Idle ELSE wire[ch]]
  /\ told' = [ch \in Channels |-> IF ch \in gone THEN [g \in Groups |-> 0] ELSE told[ch]]
  /\ owed' = [ch \in Channels |->
      IF ch \notin gone THEN owed[ch] ELSE IF Bug = "owed-is-forgotten" THEN {} ELSE debt(ch)]

(* The first NEWS of the next one compares the tables (LS-010, LS-014).    *)
Everything(ch) == Groups

(* Whoever opened a connection keeps what it owes on it, and owes again    *)
(* what it has told without an answer: whether NEWS or its MERGED is lost. *)
Kept(ch) ==
  CASE Bug = "lost-news-is-told" -> owed[ch]
    [] Bug = "lost-merged-is-merged" /\ wire[ch].phase # "news" -> owed[ch]
    [] OTHER -> owed[ch] \union wire[ch].answers \union {r.group : r \in wire[ch].records}

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
  /\ IF ch \in Connectors THEN End({ch}, Kept) ELSE End({ch} \union Back(ch), Everything)
  /\ UNCHANGED <<link, judged, heard, tables, post, breaks, crashes, burials, forgeries>>

(* What is owed after m has died and booted: it has forgotten what it owed,*)
(* and begins each connection with a query (LS-047); the others, who lost a*)
(* connection to it, have not.                                             *)
OwedAnew(m, ch) ==
  CASE From(ch) = m /\ Bug = "boots-silently" -> {}
    [] From(ch) = m \/ ch \notin Connectors -> Groups
    [] OTHER -> Kept(ch)

(* A member dies and boots: it has its disk (LS-006, LS-029).              *)
Crash(m) ==
  LET disk == IF Bug = "boots-empty" THEN [g \in Groups |-> Nothing] ELSE stored[m]
      Debt(ch) == OwedAnew(m, ch)
  IN /\ crashes < MaxCrashes /\ m \notin Dead
     /\ crashes' = crashes + 1
     /\ known' = [known EXCEPT ![m] = disk]
     /\ stored' = [stored EXCEPT ![m] = disk]
     /\ computed' = [computed EXCEPT ![m] = disk]
     /\ judged' = [c \in Connectors |->
         IF From(c) = m THEN c \notin disk[GroupOf(m)].down ELSE judged[c]]
     /\ heard' = [c \in Connectors |->
         IF c \in Reported /\ Master(GroupOf(From(c))) = m THEN c \notin disk[GroupOf(m)].down ELSE heard[c]]
     /\ End({ch \in Channels : m \in {From(ch), To(ch)}}, Debt)
     /\ UNCHANGED <<link, post, breaks, losses, burials, forgeries>>

(* A record that its group has not written is in the table of m.           *)
Appears(m, g, record) ==
  /\ Grow(m, [known[m] EXCEPT ![g] = record])
  /\ owed' = [ch \in Channels |-> IF Owing(m, g, TRUE, 0, ch) THEN owed[ch] \union {g} ELSE owed[ch]]

(* An operator buries group 3, by which the message may go, at some member,*)
(* whatever that knows of it.                                              *)
Bury(m) ==
  /\ burials < MaxBurials /\ m \notin Dead /\ ~known[m][3].dead
  /\ burials' = burials + 1
  /\ Appears(m, 3, Tombstone(3))
  /\ UNCHANGED <<link, judged, heard, wire, told, post, breaks, losses, crashes, forgeries>>

(* What must not be, and is healed all the same: somebody else has written *)
(* another record of a group under the version that its master gave.       *)
Forge(m, g, down) ==
  /\ forgeries < MaxForgeries /\ m \notin Dead /\ Digest(down) > Digest(known[m][g].down)
  /\ forgeries' = forgeries + 1
  /\ Appears(m, g, [known[m][g] EXCEPT !.down = down])
  /\ UNCHANGED <<link, judged, heard, wire, told, post, breaks, losses, crashes, burials>>

-----------------------------------------------------------------------------
Init ==
  /\ link = [c \in Connectors |-> {From(c), To(c)} \cap Dead = {}]
  /\ judged = [c \in Connectors |-> TRUE]
  /\ heard = [c \in Connectors |-> TRUE]
  /\ known = [m \in Members |-> [g \in Groups |-> Nothing]]
  /\ stored = known /\ computed = known
  /\ owed = [ch \in Channels |-> {}]
  /\ wire = [ch \in Channels |-> Idle]
  /\ told = [ch \in Channels |-> [g \in Groups |-> 1]]
  /\ mail = [at |-> Start, over |-> [g \in Groups |-> 0]]
  /\ crossed = [c \in Connectors |-> <<>>]
  /\ breaks = 0 /\ losses = 0 /\ crashes = 0 /\ burials = 0 /\ forgeries = 0

Steps ==
  \/ \E ch \in Channels : Tell(ch) \/ Merge(ch) \/ Answer(ch) \/ Confirm(ch) \/ Hop(ch)
  \/ \E c \in Connectors : Judge(c) \/ Report(c)
  \/ \E g \in Groups : Publish(g)
  \/ \E m \in Members : Store(m) \/ Compute(m)

Faults ==
  \/ \E c \in Connectors : Break(c) \/ Heal(c)
  \/ \E ch \in Channels : Lose(ch)
  \/ \E m \in Members : Crash(m) \/ Bury(m)
  \/ MaxForgeries > 0 /\ \E m \in Members, g \in Groups : \E down \in SUBSET Leaving(g) : Forge(m, g, down)

Spec == Init /\ [][Steps \/ Faults]_vars

(* Somebody who can go on does: no more than that, and nothing has to heal.*)
FairSpec == Spec /\ WF_vars(Steps)

-----------------------------------------------------------------------------
(* What must hold.                                                         *)

Phases == {"idle", "news", "merging", "merged"}
Told(ch) == wire[ch].records

TypeOK ==
  /\ \A c \in Connectors : {link[c], judged[c], heard[c]} \subseteq BOOLEAN
  /\ \A m \in Members, g \in Groups : known[m][g].down \subseteq Leaving(g)
  /\ \A ch \in Channels :
      /\ owed[ch] \subseteq Groups
      /\ wire[ch].phase \in Phases
      /\ wire[ch].phase = "idle" => wire[ch] = Idle
      /\ wire[ch].phase # "merged" => wire[ch].answers = {}
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

(* LS-017: while a connection lasts, it carries each version once.         *)
CarriedOnce ==
  [][\A ch \in Channels : wire[ch].phase = "idle" /\ wire'[ch].phase = "news" =>
      \A r \in wire'[ch].records : Place(r) > told[ch][r.group]]_vars

(* LS-045.                                                                 *)
RoutesGrow ==
  [][mail' # mail => AtLeast(Versions(computed[mail.at]), mail.over)]_vars

(* C4: a message crosses a connector again only by a table that is greater *)
(* in the order of the records.                                            *)
NoPingPong ==
  [][\A c \in Connectors :
       mail' # mail /\ From(c) = mail.at /\ To(c) = mail'.at /\ crossed[c] # <<>> =>
         LET by == Places(computed[mail.at])
         IN AtLeast(by, crossed[c][1]) /\ by # crossed[c][1]]_vars

(* C5: everybody has the same table, and it says of each connector of a    *)
(* group that lives and has a master what is true.                         *)
Agreed == \A m, n \in Living : stored[m] = stored[n] /\ computed[m] = stored[n]
Converged ==
  /\ Agreed
  /\ \A m \in Living, g \in Groups :
      Master(g) \in Dead \/ stored[m][g].dead
        \/ stored[m][g].down = {c \in Leaving(g) : ~link[c] /\ c \notin Persistent}

(* C5 without liveness: nobody rests before it is so.                      *)
RestsConverged == Converged \/ ENABLED Steps

(* In the end it is so, and the message is there.                          *)
Converges == <>[]Converged
Settles == Converges /\ <>(GroupOf(mail.at) = Goal)
=============================================================================
