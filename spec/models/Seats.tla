-------------------------------- MODULE Seats -------------------------------
(***************************************************************************)
(* How the voters of a group change, one member at a time, clauses MA-044  *)
(* to MA-047 of master.md.  Each member has a set of seats with            *)
(* a version: the term of the master that wrote it, and a number.  A master*)
(* writes its set anew under its own term, then may add or take away one   *)
(* voter, and goes on when a majority of the new set has granted a round   *)
(* that carried it.                                                        *)
(*                                                                         *)
(* Time is not in the model, but as an order.  What Mastership shows of    *)
(* clocks is that the promises on which a lease rests outlast it, and that *)
(* a round is good for nothing when one of them has lapsed.  So a voter may*)
(* grant another at any time, and then what rests on its promise is over:  *)
(* not sooner, because no earlier end permits anybody more.  For requests  *)
(* and answers Mastership's words hold: a request arrives at any time, also*)
(* long after its round.  Crashes are its matter, and a term is a number   *)
(* that belongs to the one that begins it.                                 *)
(*                                                                         *)
(* Bug plants one wrong rule, so that there is a configuration in which    *)
(* the property does not hold.                                             *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Members,
  Initial,        \* the voters at first
  MaxTerm,        \* terms that are begun at all
  MaxChanges,     \* changes of the set, in sum
  Lingers,        \* whether requests of rounds that are over still arrive
  Learns,         \* whether who is refused learns of newer seats
  Bug             \* "none", or the name of a planted fault

Terms == 1..MaxTerm
Nobody == "nobody"
Symmetry == {p \in Permutations(Members) : {p[m] : m \in Initial} = Initial}

VARIABLES
  owner,          \* who began each term
  known,          \* the greatest term that a member has granted or begun
  seats,          \* the set that it has stored, and its version
  round,          \* of each candidate or holder: the term, and who has granted; it carries the seats of its sender
  asked,          \* the term and the seats of every round that there was: its requests may still arrive
  lease,          \* of each holder: whose promises it rests on, and whether its round carried the seats that it has now
  changes

vars == <<owner, known, seats, round, asked, lease, changes>>

NoRound == [term |-> 0, by |-> {}]
NoLease == [by |-> {}, isSettled |-> FALSE]
Holds(m) == lease[m].by # {}

IsQuorum(by, set) == 2 * Cardinality(by) > Cardinality(set)
IsNewer(s, t) == s.term > t.term \/ (s.term = t.term /\ s.number > t.number)

(* MA-031: v has no promise to anybody but m any more.                     *)
RoundsWithout(v, m) == [n \in Members |-> IF n # m /\ v \in round[n].by THEN NoRound ELSE round[n]]
LeasesWithout(v, m) ==
  [n \in Members |-> IF n # m /\ v \in round[n].by \union lease[n].by THEN NoLease ELSE lease[n]]

-----------------------------------------------------------------------------
Request(t, s) == IF Lingers THEN {[term |-> t, seats |-> s]} ELSE {}

(* MA-035; who has no seat does not stand.                                 *)
Begin(m, t) ==
  /\ owner[t] = Nobody /\ t > known[m] /\ m \in seats[m].set
  /\ owner' = [owner EXCEPT ![t] = m]
  /\ known' = [known EXCEPT ![m] = t]
  /\ round' = [RoundsWithout(m, m) EXCEPT ![m] = [term |-> t, by |-> {m}]]
  /\ lease' = [LeasesWithout(m, m) EXCEPT ![m] = NoLease]
  /\ asked' = asked \union Request(t, seats[m])
  /\ UNCHANGED <<seats, changes>>

(* MA-044, MA-045: nobody grants who has a newer set; the set of the round *)
(* is stored with the term.  Who is in the round's set votes, whatever its *)
(* own one says.                                                           *)
Promise(v, m, t, s) ==
  /\ v # m /\ v \in s.set /\ t >= known[v]
  /\ ~IsNewer(seats[v], s) \/ Bug = "grants-an-older-set"
  /\ known' = [known EXCEPT ![v] = t]
  /\ seats' = [seats EXCEPT ![v] = IF IsNewer(s, @) THEN s ELSE @]
  /\ lease' = LeasesWithout(v, m)

Grant(v, m) ==
  /\ round[m].term > 0 /\ v \notin round[m].by
  /\ Promise(v, m, round[m].term, seats[m])
  /\ round' = [RoundsWithout(v, m) EXCEPT ![m].by = @ \union {v}]
  /\ UNCHANGED <<owner, asked, changes>>

(* Nobody counts the answer to a round that is over.                       *)
GrantLate(v, r) ==
  /\ Promise(v, owner[r.term], r.term, r.seats)
  /\ round' = RoundsWithout(v, owner[r.term])
  /\ UNCHANGED <<owner, asked, changes>>

(* MA-045: who is refused learns of a newer set, also when its writer has  *)
(* moved on meanwhile.  It asks no more by the one that it had; a holder   *)
(* keeps its own and writes that anew.                                     *)
Told(m) == {s \in {seats[n] : n \in Members} \union {r.seats : r \in asked} : IsNewer(s, seats[m])}
Learn(m, s) ==
  /\ Learns /\ ~Holds(m)
  /\ seats' = [seats EXCEPT ![m] = s]
  /\ known' = [known EXCEPT ![m] = IF s.term > @ THEN s.term ELSE @]
  /\ round' = [round EXCEPT ![m] = NoRound]
  /\ UNCHANGED <<owner, asked, lease, changes>>

(* MA-036: by a majority of the set that the round has carried.            *)
Win(m) ==
  /\ IsQuorum(round[m].by, seats[m].set) /\ known[m] <= round[m].term
  /\ lease[m] # [by |-> round[m].by, isSettled |-> TRUE]
  /\ lease' = [lease EXCEPT ![m] = [by |-> round[m].by, isSettled |-> TRUE]]
  /\ UNCHANGED <<owner, known, seats, round, asked, changes>>

(* MA-037.                                                                 *)
Renew(m) ==
  /\ Holds(m) /\ round[m].by # {m} /\ known[m] <= round[m].term
  /\ round' = [round EXCEPT ![m].by = {m}]
  /\ UNCHANGED <<owner, known, seats, asked, lease, changes>>

(* A new set, and the round that carries it.                               *)
Write(m, number, set) ==
  LET new == [term |-> round[m].term, number |-> number, set |-> set]
  IN /\ seats' = [seats EXCEPT ![m] = new]
     /\ asked' = asked \union Request(round[m].term, new)
     /\ lease' = [lease EXCEPT ![m].isSettled = FALSE]
     /\ round' = IF Bug = "counts-the-round-before" THEN round ELSE [round EXCEPT ![m].by = {m}]

(* MA-046: the set that it has, under its own term.                           *)
Restamp(m) ==
  /\ Holds(m) /\ known[m] <= round[m].term /\ seats[m].term # round[m].term
  /\ Write(m, 0, seats[m].set)
  /\ UNCHANGED <<owner, known, changes>>

(* MA-046, MA-047: one voter more or less, and never itself.                     *)
Sets(m) ==
  LET set == seats[m].set
      one == {set \union {n} : n \in Members \ set} \union {set \ {n} : n \in set \ {m}}
      two == {(set \union {n}) \ {o} : n \in Members \ set, o \in set \ {m}}
  IN IF Bug = "two-at-once" THEN two ELSE one
Change(m, set) ==
  /\ Holds(m) /\ known[m] <= round[m].term /\ changes < MaxChanges
  /\ lease[m].isSettled \/ Bug = "does-not-wait-for-a-majority"
  /\ seats[m].term = round[m].term \/ Bug = "no-restamp"
  /\ changes' = changes + 1
  /\ Write(m, IF seats[m].term = round[m].term THEN seats[m].number + 1 ELSE 1, set)
  /\ UNCHANGED <<owner, known>>

-----------------------------------------------------------------------------
Init ==
  /\ owner = [t \in Terms |-> Nobody]
  /\ known = [m \in Members |-> 0]
  /\ seats = [m \in Members |-> [term |-> 0, number |-> 0, set |-> IF m \in Initial THEN Initial ELSE {}]]
  /\ round = [m \in Members |-> NoRound] /\ asked = {}
  /\ lease = [m \in Members |-> NoLease]
  /\ changes = 0

Next == \E m \in Members :
  \/ \E t \in Terms : Begin(m, t)
  \/ \E v \in Members : Grant(v, m)
  \/ \E r \in asked : GrantLate(m, r)
  \/ \E s \in Told(m) : Learn(m, s)
  \/ Win(m) \/ Renew(m) \/ Restamp(m)
  \/ \E set \in Sets(m) : Change(m, set)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
TypeOK ==
  \A m \in Members :
    /\ known[m] \in 0..MaxTerm
    /\ round[m].by \subseteq seats[m].set /\ lease[m].by \subseteq Members
    /\ round[m].term > 0 => m \in round[m].by
    /\ Holds(m) => round[m].term > 0 /\ m \in lease[m].by

(* C6, whatever set each of them counts its majority in.                   *)
OneActs == \A m, n \in Members : Holds(m) /\ Holds(n) => m = n

(* Two versions are never one.                                             *)
OneSet ==
  \A m, n \in Members :
    seats[m].term = seats[n].term /\ seats[m].number = seats[n].number /\ {} \notin {seats[m].set, seats[n].set}
      => seats[m].set = seats[n].set

(* For the configuration that shows that both changes come to pass.        *)
NeverChangedTwice == \A m \in Members : ~(Holds(m) /\ changes = 2 /\ lease[m].isSettled /\ seats[m].number = 2)
=============================================================================
