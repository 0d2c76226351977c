----------------------------- MODULE Ownership ------------------------------
(***************************************************************************)
(* Who has an account open, MA-060 to MA-069 and DE-100:                   *)
(* the master grants the account to one member for a span, under           *)
(* an epoch; the member asks again before the span is over, also a new     *)
(* master, and the store of the account refuses a smaller epoch than one it*)
(* has seen.  There is one account, and never two masters at one time:     *)
(* that is the matter of Mastership.                                       *)
(*                                                                         *)
(* Time is as it is there: the member counts Lease units of its clock from *)
(* when it asked, the master keeps the account for Keep units of its own   *)
(* from when it granted, each clock counts 2 or 3 units in each Tick.      *)
(* Requests and writes stay under way for ever, an answer is taken at any  *)
(* time after it was given, or never.                                      *)
(*                                                                         *)
(* An epoch is the term of the master that granted it and the number of the*)
(* grant under that term.  Bug plants one wrong rule, so that for each     *)
(* property there is a configuration in which it does not hold.            *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Members,
  Keep,           \* for how long the master keeps the account for who has it, in units of its clock
  Lease,          \* for how long that one has it, in units of its own
  MaxTerm,        \* terms that there are
  MaxGrants,      \* grants under each of them
  Crashes,        \* whether members crash
  Writes,         \* whether they write
  Bug             \* "none", or the name of a planted fault

Master == "master"
Less(span, units) == IF span > units THEN span - units ELSE 0
Symmetry == Permutations(Members)

VARIABLES
  term,           \* of the master
  wait,           \* for how long it still grants nothing
  grants,         \* how often it has
  table,          \* the greatest epoch of the account that it knows, and for how long it keeps the account for its member
  ask,            \* what each member asks: the epoch that it has (0 is none), of which term, how long ago; the answer
  lease,          \* the epoch of each member, and for how long it has the account
  returned,       \* the epochs that were given back
  store,          \* the greatest epoch under which the store was written
  held            \* the epochs that anybody ever had: any write under one of them may still arrive

vars == <<term, wait, grants, table, ask, lease, returned, store, held>>

NoAsk == [term |-> 0, epoch |-> 0, age |-> 0, given |-> 0]
Epoch(t, n) == IF Bug = "epochs-without-terms" THEN n ELSE 10 * t + n
Has(m) == lease[m].left > 0

-----------------------------------------------------------------------------
(* A member.                                                               *)

(* MA-060, MA-062, MA-065: for the account, or to have it on; the master's *)
(* term stands in the request.  Only who has the account names an epoch.   *)
Ask(m) ==
  /\ ask[m].term = 0 \/ ask[m].age > 0 \/ ask[m].term # term
  /\ ask' = [ask EXCEPT ![m] =
       [term |-> term, age |-> 0, given |-> 0,
        epoch |-> IF Has(m) \/ Bug = "registers-what-has-lapsed" THEN lease[m].epoch ELSE 0]]
  /\ UNCHANGED <<term, wait, grants, table, lease, returned, store, held>>

(* MA-061: counted from when it asked.                                     *)
Take(m) ==
  LET span == IF Bug = "counts-from-the-answer" THEN Lease ELSE Less(Lease, ask[m].age)
  IN /\ ask[m].given > 0 /\ span > lease[m].left
     /\ lease' = [lease EXCEPT ![m] = [epoch |-> ask[m].given, left |-> span]]
     /\ held' = held \union {ask[m].given}
     /\ UNCHANGED <<term, wait, grants, table, ask, returned, store>>

(* MA-067: it has closed the account before it says so.                    *)
GiveBack(m) ==
  /\ Has(m)
  /\ returned' = returned \union {lease[m].epoch}
  /\ lease' = IF Bug = "gives-back-before-it-closes" THEN lease ELSE [lease EXCEPT ![m] = [epoch |-> 0, left |-> 0]]
  /\ ask' = [ask EXCEPT ![m] = NoAsk]
  /\ UNCHANGED <<term, wait, grants, table, store, held>>

Crash(m) ==
  /\ Crashes /\ (Has(m) \/ ask[m] # NoAsk)
  /\ lease' = [lease EXCEPT ![m] = [epoch |-> 0, left |-> 0]]
  /\ ask' = [ask EXCEPT ![m] = NoAsk]
  /\ UNCHANGED <<term, wait, grants, table, returned, store, held>>

-----------------------------------------------------------------------------
(* The master.                                                             *)

MayGrant == wait = 0 /\ table.left = 0 /\ grants < MaxGrants
Kept(e) == [epoch |-> e, left |-> Keep]

(* MA-060, MA-063.                                                         *)
Grant(m) ==
  LET e == Epoch(term, grants + 1)
  IN /\ ask[m].term = term /\ ask[m].epoch = 0 /\ ask[m].given = 0 /\ MayGrant
     /\ grants' = grants + 1
     /\ table' = Kept(e)
     /\ ask' = [ask EXCEPT ![m].given = e]
     /\ UNCHANGED <<term, wait, lease, returned, store, held>>

(* MA-062, MA-066: it believes who has an epoch that is not smaller than   *)
(* the greatest that it knows.                                             *)
Prolong(m) ==
  LET e == ask[m].epoch
  IN /\ ask[m].term = term /\ e > 0 /\ ask[m].given = 0 /\ e >= table.epoch
     /\ table' = Kept(e)
     /\ ask' = [ask EXCEPT ![m].given = e]
     /\ UNCHANGED <<term, wait, grants, lease, returned, store, held>>

(* The same for requests for whose answers nobody waits any more; whoever  *)
(* might have sent one has, at any time.                                   *)
GrantLate ==
  /\ MayGrant
  /\ grants' = grants + 1 /\ table' = Kept(Epoch(term, grants + 1))
  /\ UNCHANGED <<term, wait, ask, lease, returned, store, held>>

ProlongLate(e) ==
  /\ e >= table.epoch /\ table # Kept(e)
  /\ table' = Kept(e)
  /\ UNCHANGED <<term, wait, grants, ask, lease, returned, store, held>>

(* MA-068.                                                                 *)
Free ==
  /\ table.left > 0 /\ table.epoch \in returned
  /\ table' = [table EXCEPT !.left = 0]
  /\ UNCHANGED <<term, wait, grants, ask, lease, returned, store, held>>

(* MA-064: a new one knows of nobody; the one before it says nothing more. *)
Succeed ==
  /\ term < MaxTerm
  /\ term' = term + 1
  /\ wait' = IF Bug = "does-not-wait" THEN 0 ELSE Keep
  /\ grants' = 0
  /\ table' = [epoch |-> 0, left |-> 0]
  /\ UNCHANGED <<ask, lease, returned, store, held>>

-----------------------------------------------------------------------------
(* DE-100: the store, whenever a write arrives.                            *)
Write(e) ==
  /\ Writes /\ e \in held /\ e # store
  /\ e > store \/ Bug = "store-does-not-check"
  /\ store' = e
  /\ UNCHANGED <<term, wait, grants, table, ask, lease, returned, held>>

Tick(fast) ==
  LET units(c) == IF c \in fast THEN 3 ELSE 2
      rest == Less(table.left, units(Master))
      left(m) == Less(lease[m].left, units(m))
      keeps(m) == left(m) > 0 \/ Bug = "registers-what-has-lapsed"
      age(m) == ask[m].age + units(m)
  IN /\ wait' = Less(wait, units(Master))
     /\ table' = [table EXCEPT !.left = rest]
     /\ lease' = [m \in Members |-> [epoch |-> IF keeps(m) THEN lease[m].epoch ELSE 0, left |-> left(m)]]
     /\ ask' = [m \in Members |->
          IF ask[m].term = 0 THEN NoAsk
          ELSE IF age(m) < Lease THEN [ask[m] EXCEPT !.age = age(m)]
          ELSE IF Bug = "counts-from-the-answer" THEN [ask[m] EXCEPT !.age = Lease]
          ELSE NoAsk]
     /\ UNCHANGED <<term, grants, returned, store, held>>

-----------------------------------------------------------------------------
Init ==
  /\ term = 1 /\ wait = 0 /\ grants = 0
  /\ table = [epoch |-> 0, left |-> 0]
  /\ ask = [m \in Members |-> NoAsk]
  /\ lease = [m \in Members |-> [epoch |-> 0, left |-> 0]]
  /\ returned = {} /\ store = 0 /\ held = {}

Next ==
  \/ \E m \in Members : Ask(m) \/ Take(m) \/ GiveBack(m) \/ Crash(m) \/ Grant(m) \/ Prolong(m)
  \/ GrantLate \/ (\E e \in held : ProlongLate(e)) \/ Free \/ Succeed
  \/ \E e \in held : Write(e)
  \/ \E fast \in SUBSET (Members \union {Master}) : Tick(fast)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
TypeOK ==
  /\ term \in 1..MaxTerm /\ wait \in 0..Keep /\ grants \in 0..MaxGrants
  /\ table.left \in 0..Keep /\ returned \subseteq held
  /\ \A m \in Members : lease[m].left \in 0..Lease /\ ask[m].age \in 0..Lease
  /\ store \in held \union {0}

(* At most one member has the account.                                     *)
OneWriter == \A m, n \in Members : Has(m) /\ Has(n) => m = n

(* Who has the account is not refused: nobody ever had it under a greater  *)
(* epoch.                                                                  *)
OwnerIsHeard == \A m \in Members : Has(m) => \A e \in held : e <= lease[m].epoch

(* What a former owner has written late is refused.                        *)
StoreGrows == [][store' >= store]_vars
=============================================================================
