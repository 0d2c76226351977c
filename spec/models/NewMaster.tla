----------------------------- MODULE NewMaster -----------------------------
(***************************************************************************)
(* A member that takes the place of the master before it asks before it    *)
(* speaks, clause LS-235 of the chapter "MASTER".  One group: 1 is its     *)
(* master until the operator names 2, or 2 is elected; 3 and 4 each carry  *)
(* a connector that has the number of its source.  Members go away and     *)
(* come back, and their tables are behind each other meanwhile.            *)
(*                                                                         *)
(* Time is not in the model.  30 s are over when everybody who is there    *)
(* has answered.  The lease_s of an elected master is over when everybody  *)
(* who is there has attached: that is what the chapter takes for granted   *)
(* of messages and writes.  Then the master waits for those alone.         *)
(* The record is all that a table has here; how it reaches other groups is *)
(* the matter of LinkState.  No connector is persistent, and two masters   *)
(* at one time are not in it (MA-026, MA-036).  Bug plants one wrong rule. *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  MaxChanges,     \* how often a connector breaks or works again, in sum
  MaxLeaves,      \* how often a member goes away, in sum
  IsElected,      \* whether 2 is elected, or named by the operator
  Bug             \* "none", or the name of a planted fault

Members == 1..4
Sources == {3, 4}

VARIABLES
  works,          \* whether each connector does; its source judges it at once
  here,           \* the members that are not away
  master,         \* who is the master
  heard,          \* what the master has heard of each connector: "nothing", "up" or "down"
  table,          \* the group's record in the table of each member
  attached,       \* the members that have a connection with the new master
  missing,        \* the members that the new master waits for
  reported,       \* those of them whose report it has
  changes, leaves

vars == <<works, here, master, heard, table, attached, missing, reported, changes, leaves>>

(* LS-001: the term decides, then the minor number.                        *)
IsGreater(a, b) == a.term > b.term \/ (a.term = b.term /\ a.minor > b.minor)
Greater(a, b) == IF IsGreater(a, b) THEN a ELSE b

(* MA-004: what has not been heard of keeps the state that the table has.  *)
Down(record, reports) ==
  {c \in Sources : reports[c] = "down" \/ (reports[c] = "nothing" /\ c \in record.down)}

(* MA-005, MA-008.                                                         *)
NextRecord(record, term, reports) ==
  [term |-> term,
   minor |-> IF record.term = term THEN record.minor + 1 ELSE 0,
   down |-> Down(record, reports)]

-----------------------------------------------------------------------------
(* The master hears a member; MA-011: the first that it says is what it    *)
(* reports.                                                                *)
State(c) == IF works[c] THEN "up" ELSE "down"
Attach(m) ==
  /\ {m, 2} \subseteq here /\ master = 2 /\ m \notin attached \union {2}
  /\ attached' = attached \union {m}
  /\ UNCHANGED <<works, here, master, heard, table, missing, reported, changes, leaves>>

Report(m) ==
  LET news == IF m \in Sources THEN [heard EXCEPT ![m] = State(m)] ELSE heard
      answered == IF m \in missing THEN reported \union {m} ELSE reported
  IN /\ {m, master} \subseteq here /\ m # master
     /\ master = 2 => m \in attached
     /\ <<news, answered>> # <<heard, reported>>
     /\ heard' = news /\ reported' = answered
     /\ UNCHANGED <<works, here, master, table, attached, missing, changes, leaves>>

(* Before its first record the new master listens only.                    *)
Publish ==
  LET m == master
      record == NextRecord(table[m], m, heard)
  IN /\ m \in here /\ missing = {}
     /\ record.down # table[m].down \/ table[m].term # m
     /\ table' = [table EXCEPT ![m] = record]
     /\ UNCHANGED <<works, here, master, heard, attached, missing, reported, changes, leaves>>

(* The master tells its members.                                           *)
Tell(m) ==
  /\ {m, master} \subseteq here /\ missing = {} /\ IsGreater(table[master], table[m])
  /\ master = 2 => m \in attached
  /\ table' = [table EXCEPT ![m] = table[master]]
  /\ UNCHANGED <<works, here, master, heard, attached, missing, reported, changes, leaves>>

(* The operator names 2, or it is elected; it has heard nothing yet.       *)
TakeOver ==
  /\ master = 1 /\ 2 \in here
  /\ master' = 2
  /\ heard' = [c \in Sources |-> "nothing"]
  /\ missing' = IF Bug = "asks-nobody" THEN {} ELSE Members \ {2}
  /\ reported' = {}
  /\ UNCHANGED <<works, here, table, attached, changes, leaves>>

(* The wait is over with its first record, in one step.                    *)
Ends(record) == [table EXCEPT ![2] = NextRecord(record, 2, heard)]

(* LS-235: an exchange behind the report, which brings what m has.         *)
Exchange(m) ==
  LET record == IF Bug = "only-reports" THEN table[2] ELSE Greater(table[2], table[m])
      left == IF Bug = "asks-one" THEN {} ELSE missing \ {m}
  IN /\ {m, 2} \subseteq here /\ m \in missing /\ m \in reported /\ m \in attached
     /\ missing' = left /\ reported' = IF left = {} THEN {} ELSE reported \ {m}
     /\ table' = IF left = {} THEN Ends(record) ELSE [table EXCEPT ![2] = record]
     /\ UNCHANGED <<works, here, master, heard, attached, changes, leaves>>

(* LS-235: or 30 s; or lease_s, and nobody who is attached is missing.     *)
LeaseIsOver == here \ {2} \subseteq attached \/ Bug = "attaches-late"
NobodyIsWaitedFor ==
  \/ Bug = "does-not-wait"
  \/ IF IsElected
     THEN LeaseIsOver /\ (missing \cap attached = {} \/ Bug = "leaves-the-attached")
     ELSE missing \cap here = {}

TimeIsUp ==
  /\ 2 \in here /\ missing # {} /\ NobodyIsWaitedFor
  /\ missing' = {} /\ reported' = {}
  /\ table' = Ends(table[2])
  /\ UNCHANGED <<works, here, master, heard, attached, changes, leaves>>

Change(c) ==
  /\ changes < MaxChanges
  /\ changes' = changes + 1
  /\ works' = [works EXCEPT ![c] = ~works[c]]
  /\ UNCHANGED <<here, master, heard, table, attached, missing, reported, leaves>>

(* Somebody goes away with its disk; the connection on which it reported   *)
(* is over.  The new master stays, once it is one.                         *)
Leave(m) ==
  /\ leaves < MaxLeaves /\ m \in here /\ (m = 2 => master = 1)
  /\ leaves' = leaves + 1
  /\ here' = here \ {m} /\ reported' = reported \ {m} /\ attached' = attached \ {m}
  /\ UNCHANGED <<works, master, heard, table, missing, changes>>

Return(m) ==
  /\ m \notin here
  /\ here' = here \union {m}
  /\ UNCHANGED <<works, master, heard, table, attached, missing, reported, changes, leaves>>

-----------------------------------------------------------------------------
Init ==
  /\ works = [c \in Sources |-> TRUE]
  /\ here = Members
  /\ master = 1
  /\ heard = [c \in Sources |-> "up"]
  /\ table = [m \in Members |-> [term |-> 1, minor |-> 0, down |-> {}]]
  /\ attached = {} /\ missing = {} /\ reported = {}
  /\ changes = 0 /\ leaves = 0

Steps ==
  \/ \E m \in Members : Attach(m) \/ Report(m) \/ Tell(m) \/ Exchange(m)
  \/ Publish \/ TakeOver \/ TimeIsUp

Faults ==
  \/ \E c \in Sources : Change(c)
  \/ \E m \in Members : Leave(m) \/ Return(m)

Spec == Init /\ [][Steps \/ Faults]_vars

-----------------------------------------------------------------------------
TypeOK ==
  /\ \A c \in Sources : works[c] \in BOOLEAN /\ heard[c] \in {"nothing", "up", "down"}
  /\ here \subseteq Members /\ master \in {1, 2}
  /\ attached \subseteq here \ {2}
  /\ reported \subseteq missing \intersect attached /\ missing \subseteq Members \ {2}
  /\ \A m \in Members : table[m].term \in {1, 2} /\ table[m].down \subseteq Sources

(* Nobody has a record under the new term while the new master listens.    *)
ListensFirst == missing # {} => \A m \in Members : table[m].term = 1

(* The record before the one that 2 writes is the greatest that anybody    *)
(* has who is there, and after its first one its own.                      *)
Before ==
  IF table[2].term = 2 THEN table[2]
  ELSE LET all == {table[m] : m \in here} IN CHOOSE r \in all : \A s \in all : ~IsGreater(s, r)

(* LS-235: no record under the greater term says UP of what the one before *)
(* it said DOWN, unless its source has reported UP since.                  *)
NothingComesBack ==
  [][table'[2] # table[2] /\ table'[2].term = 2 =>
      \A c \in Before.down \ table'[2].down : heard[c] = "up"]_vars

(* Whom the source has reported DOWN stands so in every record after that. *)
ReportsStand ==
  [][table'[2] # table[2] /\ table'[2].term = 2 =>
      \A c \in Sources : heard[c] = "down" => c \in table'[2].down]_vars

(* When nothing is to be done, everybody who is there has one record, and  *)
(* it is true of the connectors whose sources are there.                   *)
RestsTrue ==
  \/ ENABLED Steps
  \/ master \notin here
  \/ \A m \in here : table[m] = table[master] /\ \A c \in Sources \cap here : c \in table[m].down <=> ~works[c]
=============================================================================
