--------------------------- MODULE TraceLinkState ---------------------------
(***************************************************************************)
(* Whether what the machine did is a behaviour of LinkState.  A trace is   *)
(* the sequence of all records that members stored, in the order in which  *)
(* they stored them, and of their boots; what happened in between, the     *)
(* model may choose.  Two are those of the machine, in the simulator of    *)
(* tests/linkstate/traces.rs, two are wrong.                               *)
(*                                                                         *)
(* A behaviour that has the whole trace violates Unfinished.  So a         *)
(* configuration that violates it has a good trace, and one that holds has *)
(* a trace that the model refuses.                                         *)
(***************************************************************************)
EXTENDS LinkState, LinkStateTraces

CONSTANT Trace

VARIABLE seen    \* how much of the trace there has been

(* What a member has on its disk once it has stored these records.         *)
With(table, records) ==
  [g \in Groups |->
    IF \E r \in records : r.group = g
    THEN LET r == CHOOSE r \in records : r.group = g IN [Nothing EXCEPT !.minor = r.minor, !.down = r.down]
    ELSE table[g]]

(* The next step of the trace: a member boots, or it stores something.     *)
Boots(step) == step.boots /\ Crash(step.member)
Stores(step) ==
  /\ ~step.boots /\ crashes' = crashes
  /\ stored' = [stored EXCEPT ![step.member] = With(@, step.records)]

Follow ==
  IF stored' = stored /\ crashes' = crashes THEN seen' = seen
  ELSE /\ seen < Len(Trace)
       /\ seen' = seen + 1
       /\ Boots(Trace[seen']) \/ Stores(Trace[seen'])

(* Mail tells nobody anything.                                             *)
TraceSpec ==
  /\ Init /\ seen = 0
  /\ [][(Steps \/ Faults) /\ UNCHANGED post /\ Follow]_<<vars, seen>>

Unfinished == seen < Len(Trace)

(* The first two steps in the wrong order: somebody stores what nobody has *)
(* published yet.                                                          *)
HeardBeforeSaid == <<AFailureSpreads[2], AFailureSpreads[1]>> \o SubSeq(AFailureSpreads, 3, Len(AFailureSpreads))
(* The origin boots without its table, and gives the version again.        *)
GivenAgain ==
  SubSeq(TheOriginBoots, 1, 4)
    \o <<[member |-> 1, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {}]}]>>
=============================================================================
