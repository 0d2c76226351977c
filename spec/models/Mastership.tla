----------------------------- MODULE Mastership -----------------------------
(***************************************************************************)
(* Who is the master of a group that elects its own: the automatic mode,   *)
(* clauses MA-030 to MA-043 of the chapter "MASTER".  A candidate asks the *)
(* voters in rounds; a round that a majority has granted is a lease, and   *)
(* while it lasts the candidate is the master.                             *)
(*                                                                         *)
(* Time.  A voter promises for Promise units of its own clock from when it *)
(* grants; the holder counts Lease units of its own from when its round    *)
(* began.  While the slowest clock counts 2 units the fastest counts 3, the*)
(* greatest drift that may be stated, and every clock may be either in each*)
(* Tick: so 4 units of a lease for 6 of a promise.  What happens between   *)
(* two Ticks takes no time, and a Tick ends all that is due (MA-043).      *)
(*                                                                         *)
(* Delays.  A request stays under way for ever: the one of the round that  *)
(* its sender is in (Grant), one of a round long over (GrantLate), and that*)
(* a term is resigned (Free).  An answer counts from when it is given, but *)
(* what it is good for (Win, Begin) happens at any time after that, so also*)
(* when the lease would be over.  To lose a message is never to take the   *)
(* step.  A refusal is not in the model: it bounds which terms the one who *)
(* gets it may begin, and a member begins any here that is greater than all*)
(* that it knows itself.                                                   *)
(*                                                                         *)
(* A term is a number, and whose it is comes out when it is begun: names   *)
(* and nonces see to it that no two members begin the same one (MA-035).   *)
(* Polls protect the work of a master, not its being the only one: without *)
(* Polls a member begins terms as it likes, which includes all that polls  *)
(* permit.                                                                 *)
(*                                                                         *)
(* An action has the name of the step in the specification that it is; the *)
(* clause is named beside it.  Bug plants one wrong rule, so that for each *)
(* property there is a configuration in which it does not hold.            *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Voters,
  Promise,        \* for how long a voter promises, in units of its clock
  Lease,          \* for how long a holder holds, in units of its clock
  MaxTerm,        \* terms that are begun at all
  MaxCrashes,     \* crashes of any voter, in sum
  MaxTransfers,   \* how often operators have a master resign, in sum
  Drifts,         \* whether clocks drift, or all are slow all the time
  SlowDisk,       \* whether a grant is stored later than it is decided, or in the same step
  Lingers,        \* whether requests of rounds that are over still arrive
  Polls,          \* whether candidates poll before they begin a term
  Endless,        \* whether terms do not end, faults do, and candidates wait (for Settles)
  Instructs,      \* whether masters instruct
  Bug             \* "none", or the name of a planted fault

Terms == 1..MaxTerm
Nobody == "nobody"
IsQuorum(set) == 2 * Cardinality(set) > Cardinality(Voters)
Greater(a, b) == IF a > b THEN a ELSE b
Less(span, units) == IF span > units THEN span - units ELSE 0
Symmetry == Permutations(Voters)

VARIABLES
  up,             \* who runs
  owner,          \* who began each term
  known,          \* the greatest term that a voter has granted, begun or obeyed, in its memory
  stored,         \* and on its disk
  promise,        \* the term to whose member a voter is bound (0 is nobody's), and for how long
  poll,           \* of each candidate: the term that it would begin, and who is willing
  round,          \* of each candidate or holder: its term, who has granted it, who is still storing that, and its age
  lease,          \* what is left of the lease under that term
  resigned,       \* the terms whose holder has said that it resigns
  obeyed,         \* the greatest term that each voter has obeyed, stored with what it did
  crashes, transfers,
  calm,           \* whether there are no faults any more
  turn,           \* the candidates whose wait (MA-039) is over
  led,            \* for the properties: the terms that ever had a lease,
  bound,          \* the voters that have stood by one living master since before a poll began,
  rash            \* and whether a term was begun against a majority of such

disks == <<known, stored>>
waits == <<calm, turn>>
vars == <<up, owner, disks, promise, poll, round, lease, resigned, obeyed, crashes, transfers, calm, turn, led, bound, rash>>

NoPromise == [term |-> 0, left |-> 0]
NoPoll == [term |-> 0, by |-> {}]
NoRound == [term |-> 0, by |-> {}, due |-> {}, age |-> 0]

Holds(m) == up[m] /\ lease[m] > 0
OwnerOf(t) == IF t = 0 THEN Nobody ELSE owner[t]

(* MA-031, MA-033: no promise binds v to anybody else, nor does its boot.  *)
IsFree(v, m) == promise[v].left = 0 \/ OwnerOf(promise[v].term) = m
Binds(t) == [term |-> t, left |-> Promise]

-----------------------------------------------------------------------------
(* A candidate.                                                            *)

(* MA-034: it asks who would grant the term, and is willing itself.  Where *)
(* terms do not end, it names one that is greater than all.                *)
MayPoll(m) == Polls /\ up[m] /\ lease[m] = 0 /\ poll[m] = NoPoll /\ m \in turn /\ IsFree(m, m)
Poll(m, t) ==
  /\ MayPoll(m) /\ owner[t] = Nobody /\ t > known[m] /\ (Endless => t = MaxTerm)
  /\ poll' = [poll EXCEPT ![m] = [term |-> t, by |-> {m}]]
  /\ turn' = IF Endless THEN turn \ {m} ELSE turn
  /\ UNCHANGED <<up, owner, disks, promise, round, lease, resigned, obeyed, crashes, transfers, calm>>

IsWilling(v, m) == up[v] /\ poll[m].term > known[v] /\ IsFree(v, m)
Willing(v, m) ==
  /\ IsWilling(v, m) /\ v \notin poll[m].by /\ ~IsQuorum(poll[m].by)
  /\ poll' = [poll EXCEPT ![m].by = @ \union {v}]
  /\ UNCHANGED <<up, owner, disks, promise, round, lease, resigned, obeyed, crashes, transfers, waits>>

(* Without faults only when those that are willing are too few, or when the*)
(* candidate has promised somebody meanwhile.                              *)
GiveUp(m) ==
  /\ poll[m] # NoPoll
  /\ calm /\ lease[m] = 0 /\ IsFree(m, m) => ~IsQuorum(poll[m].by \union {v \in Voters : IsWilling(v, m)})
  /\ poll' = [poll EXCEPT ![m] = NoPoll]
  /\ UNCHANGED <<up, owner, disks, promise, round, lease, resigned, obeyed, crashes, transfers, waits>>

(* Where terms do not end, they get new numbers with each that is begun:   *)
(* only their order matters, and only of those that anybody has.           *)
Renumber(terms, k, p, r) ==
  LET used == {k[v] : v \in Voters} \union {p[v].term : v \in Voters} \union {r[v].term : v \in Voters}
      new(t) == IF Endless THEN Cardinality({u \in used \ {0} : u <= t}) ELSE t
  IN /\ owner' = [t \in Terms |->
          IF ~Endless THEN terms[t]
          ELSE IF \E u \in used \ {0} : new(u) = t THEN terms[CHOOSE u \in used \ {0} : new(u) = t] ELSE Nobody]
     /\ known' = [v \in Voters |-> new(k[v])]
     /\ promise' = [v \in Voters |-> [p[v] EXCEPT !.term = new(@)]]
     /\ round' = [v \in Voters |-> [r[v] EXCEPT !.term = new(@)]]

(* MA-035: the term is stored before anybody is asked, which is the first  *)
(* grant.                                                                  *)
Begin(m, t) ==
  /\ up[m] /\ lease[m] = 0 /\ owner[t] = Nobody /\ t > known[m] /\ IsFree(m, m)
  /\ IF Endless THEN t < MaxTerm /\ \A u \in Terms : owner[u] # Nobody => u < t
     ELSE Polls /\ Bug # "no-poll" => poll[m].term = t
  /\ Polls /\ Bug # "no-poll" => IsQuorum(poll[m].by)
  /\ Renumber([owner EXCEPT ![t] = m], [known EXCEPT ![m] = t], [promise EXCEPT ![m] = Binds(t)],
              [round EXCEPT ![m] = [term |-> t, by |-> {m}, due |-> {}, age |-> 0]])
  /\ stored' = IF SlowDisk THEN [stored EXCEPT ![m] = t] ELSE known'
  /\ poll' = [poll EXCEPT ![m] = NoPoll]
  /\ UNCHANGED <<up, lease, resigned, obeyed, crashes, transfers, waits>>

-----------------------------------------------------------------------------
(* A voter.                                                                *)

(* MA-031 to MA-033.                                                       *)
MayGrant(v, t) ==
  /\ up[v] /\ t > 0 /\ owner[t] \notin {Nobody, v}
  /\ t >= known[v] \/ Bug = "grants-smaller-terms"
  /\ IsFree(v, owner[t]) \/ (Bug = "two-promises" /\ promise[v].term # 0)

(* What a voter works on itself under a smaller term is over (MA-038).     *)
Void(v, t, rounds) == IF rounds[v].term < t THEN [rounds EXCEPT ![v] = NoRound] ELSE rounds
Cease(v, t) == IF round[v].term < t THEN [lease EXCEPT ![v] = 0] ELSE lease

Bind(v, t) ==
  /\ known' = [known EXCEPT ![v] = t]
  /\ stored' = IF SlowDisk THEN stored ELSE [stored EXCEPT ![v] = t]
  /\ promise' = [promise EXCEPT ![v] = Binds(t)]
  /\ lease' = Cease(v, t)

(* MA-030: the answer follows when the term is on disk.                    *)
MayCount(v, m) == MayGrant(v, round[m].term) /\ v \notin round[m].by \union round[m].due
Grant(v, m) ==
  LET t == round[m].term
      isStored == ~SlowDisk \/ stored[v] >= t \/ Bug = "grants-before-durable"
      counted == IF isStored THEN [round EXCEPT ![m].by = @ \union {v}] ELSE [round EXCEPT ![m].due = @ \union {v}]
  IN /\ MayCount(v, m)
     /\ Bind(v, t)
     /\ round' = Void(v, t, counted)
     /\ UNCHANGED <<up, owner, poll, resigned, obeyed, crashes, transfers, waits>>

(* A request of a round that is over, or repeated: nobody counts the answer.*)
GrantLate(v, t) ==
  /\ Lingers /\ MayGrant(v, t)
  /\ Bind(v, t)
  /\ round' = Void(v, t, round)
  /\ UNCHANGED <<up, owner, poll, resigned, obeyed, crashes, transfers, waits>>

Store(v) ==
  /\ up[v] /\ (stored[v] # known[v] \/ \E m \in Voters : v \in round[m].due)
  /\ stored' = [stored EXCEPT ![v] = known[v]]
  /\ round' = [m \in Voters |->
       IF v \in round[m].due THEN [round[m] EXCEPT !.due = @ \ {v}, !.by = @ \union {v}] ELSE round[m]]
  /\ UNCHANGED <<up, owner, known, promise, poll, lease, resigned, obeyed, crashes, transfers, waits>>

(* MA-042: free of what it has promised to that term, whenever it hears it.*)
Free(v, t) ==
  /\ up[v] /\ t \in resigned /\ promise[v].term = t
  /\ promise' = [promise EXCEPT ![v] = NoPromise]
  /\ UNCHANGED <<up, owner, disks, poll, round, lease, resigned, obeyed, crashes, transfers, waits>>

-----------------------------------------------------------------------------
(* A holder.                                                               *)

(* MA-036: a majority has granted; counted from when the round began.      *)
Span(m) == IF Bug = "counts-from-the-answer" THEN Lease ELSE Less(Lease, round[m].age)
MayWin(m) == up[m] /\ IsQuorum(round[m].by) /\ known[m] <= round[m].term /\ Span(m) > lease[m]
Win(m) ==
  /\ MayWin(m)
  /\ lease' = [lease EXCEPT ![m] = Span(m)]
  /\ UNCHANGED <<up, owner, disks, promise, poll, round, resigned, obeyed, crashes, transfers, waits>>

(* MA-037: a later round of its term, which it grants itself first.        *)
MayRenew(m) == Holds(m) /\ round[m].age > 0 /\ known[m] <= round[m].term
Renew(m) ==
  /\ MayRenew(m)
  /\ round' = [round EXCEPT ![m] = [@ EXCEPT !.by = {m}, !.due = {}, !.age = 0]]
  /\ promise' = [promise EXCEPT ![m] = Binds(round[m].term)]
  /\ UNCHANGED <<up, owner, disks, poll, lease, resigned, obeyed, crashes, transfers, waits>>

(* MA-038: somebody has refused it with a greater term.                    *)
IsRefused(m) == lease[m] > 0 /\ \E v \in Voters : known[v] > round[m].term
StepDown(m) ==
  /\ IsRefused(m)
  /\ lease' = [lease EXCEPT ![m] = 0] /\ round' = [round EXCEPT ![m] = NoRound]
  /\ UNCHANGED <<up, owner, disks, promise, poll, resigned, obeyed, crashes, transfers, waits>>

(* MA-042: the term is over for its member before anybody hears of it.     *)
Resign(m) ==
  /\ Holds(m) /\ transfers < MaxTransfers
  /\ transfers' = transfers + 1
  /\ resigned' = resigned \union {round[m].term}
  /\ lease' = IF Bug = "resigns-before-it-stops" THEN lease ELSE [lease EXCEPT ![m] = 0]
  /\ round' = IF Bug \in {"resigns-before-it-stops", "resigned-round-counts"} THEN round
              ELSE [round EXCEPT ![m] = NoRound]
  /\ UNCHANGED <<up, owner, disks, promise, poll, obeyed, crashes, waits>>

(* MA-040, MA-041: what any master has said, whenever it arrives.          *)
Obey(v, t) ==
  /\ Instructs /\ up[v] /\ t \in led
  /\ t >= known[v] \/ Bug = "obeys-any-term"
  /\ obeyed' = [obeyed EXCEPT ![v] = t]
  /\ known' = [known EXCEPT ![v] = Greater(@, t)]
  /\ stored' = IF Bug = "obeys-before-it-stores" THEN stored ELSE [stored EXCEPT ![v] = Greater(@, t)]
  /\ lease' = Cease(v, t) /\ round' = Void(v, t, round)
  /\ UNCHANGED <<up, owner, promise, poll, resigned, crashes, transfers, waits>>

-----------------------------------------------------------------------------
(* Time and crashes.                                                       *)

(* Nothing counts while its member is down; a round that is as old as a    *)
(* lease is good for nothing any more.                                     *)
Tick(fast, next) ==
  LET units(m) == IF m \in fast THEN 3 ELSE 2
      stops(m) == Bug = "lease-survives-a-boot" /\ ~up[m]
      left(m) == IF stops(m) THEN lease[m] ELSE Less(lease[m], units(m))
      aged(m) ==
        LET age == round[m].age + units(m)
        IN IF round[m].term = 0 \/ stops(m) THEN round[m]
           ELSE IF age < Lease THEN [round[m] EXCEPT !.age = age]
           ELSE IF left(m) > 0 \/ Bug = "counts-from-the-answer" THEN [round[m] EXCEPT !.age = Lease]
           ELSE NoRound
      rest(v) == Less(promise[v].left, units(v))
  IN /\ lease' = [m \in Voters |-> left(m)]
     /\ round' = [m \in Voters |-> aged(m)]
     /\ promise' = [v \in Voters |-> IF rest(v) = 0 THEN NoPromise ELSE [promise[v] EXCEPT !.left = rest(v)]]
     /\ turn' = next
     /\ UNCHANGED <<up, owner, disks, poll, resigned, obeyed, crashes, transfers, calm>>

(* No step reads the time of day; for the fault that does, it is set back. *)
SetBack(m) ==
  /\ Bug = "trusts-the-time-of-day" /\ Holds(m)
  /\ lease' = [lease EXCEPT ![m] = Lease]
  /\ UNCHANGED <<up, owner, disks, promise, poll, round, resigned, obeyed, crashes, transfers, waits>>

(* The answers that a voter has given are under way and stay so; what it   *)
(* has decided and not stored, it forgets.                                 *)
Crash(m) ==
  LET others == [c \in Voters |-> [round[c] EXCEPT !.due = @ \ {m}]]
      survives == Bug = "lease-survives-a-boot"
  IN /\ up[m] /\ crashes < MaxCrashes /\ ~calm
     /\ crashes' = crashes + 1
     /\ up' = [up EXCEPT ![m] = FALSE]
     /\ known' = [known EXCEPT ![m] = stored[m]]
     /\ promise' = [promise EXCEPT ![m] = NoPromise]
     /\ poll' = [poll EXCEPT ![m] = NoPoll]
     /\ round' = IF survives THEN others ELSE [others EXCEPT ![m] = NoRound]
     /\ lease' = IF survives THEN lease ELSE [lease EXCEPT ![m] = 0]
     /\ UNCHANGED <<owner, stored, resigned, obeyed, transfers, waits>>

(* MA-033: what it has promised before, it has forgotten.                  *)
Boot(m) ==
  /\ ~up[m]
  /\ up' = [up EXCEPT ![m] = TRUE]
  /\ promise' = [promise EXCEPT ![m] = [NoPromise EXCEPT !.left = IF Bug = "votes-right-after-boot" THEN 0 ELSE Promise]]
  /\ UNCHANGED <<owner, disks, poll, round, lease, resigned, obeyed, crashes, transfers, waits>>

-----------------------------------------------------------------------------
(* What only the properties remember.                                      *)

(* The voters that stand by a living master other than m.                  *)
Standing(m) ==
  {v \in Voters : promise[v].term > 0 /\ owner[promise[v].term] # m /\ Holds(owner[promise[v].term])}

Begins(m) == \E t \in Terms : owner[t] = Nobody /\ owner'[t] = m

Watch ==
  /\ led' = IF Endless THEN {} ELSE led \union {round'[m].term : m \in {h \in Voters : Holds(h)'}}
  /\ bound' = [m \in Voters |->
       IF poll'[m] = NoPoll THEN {} ELSE IF poll[m] = NoPoll THEN Standing(m) ELSE bound[m] \intersect Standing(m)']
  /\ rash' = (rash \/ (Polls /\ \E m \in Voters :
       Begins(m) /\ IsQuorum(IF poll[m] = NoPoll THEN Standing(m) ELSE bound[m])))

-----------------------------------------------------------------------------
Init ==
  /\ up = [m \in Voters |-> TRUE]
  /\ owner = [t \in Terms |-> Nobody]
  /\ known = [m \in Voters |-> 0] /\ stored = known
  /\ promise = [m \in Voters |-> NoPromise]
  /\ poll = [m \in Voters |-> NoPoll]
  /\ round = [m \in Voters |-> NoRound]
  /\ lease = [m \in Voters |-> 0]
  /\ resigned = {} /\ obeyed = [m \in Voters |-> 0]
  /\ crashes = 0 /\ transfers = 0 /\ calm = FALSE /\ turn = Voters
  /\ led = {} /\ bound = [m \in Voters |-> {}] /\ rash = FALSE

(* What is done at once when there are no faults.                          *)
Soon ==
  \E m \in Voters :
    \/ \E t \in Terms : Poll(m, t) \/ Begin(m, t)
    \/ \E v \in Voters : Willing(v, m) \/ Grant(v, m)
    \/ GiveUp(m) \/ Win(m) \/ Renew(m) \/ StepDown(m)

(* Whether any of these can be done; a poll ends in one way or the other.  *)
IsBusy ==
  \E m \in Voters :
    \/ poll[m] # NoPoll \/ MayPoll(m) \/ MayWin(m) \/ MayRenew(m) \/ IsRefused(m)
    \/ \E v \in Voters : MayCount(v, m)

Fasts == IF Drifts THEN SUBSET Voters ELSE {{}}
Ticks(next) == (Endless => calm /\ ~IsBusy) /\ \E fast \in Fasts : Tick(fast, next)
Boots == \E m \in Voters : Boot(m)

Next ==
  /\ \/ Soon \/ Boots
     \/ \E m \in Voters :
          \/ \E t \in Terms : GrantLate(m, t) \/ Free(m, t) \/ Obey(m, t)
          \/ Store(m) \/ Resign(m) \/ SetBack(m) \/ Crash(m)
     \/ \E next \in IF Endless THEN SUBSET Voters ELSE {Voters} : Ticks(next)
  /\ Watch

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* In the end there are no faults, all run, and what is asked is answered  *)
(* before the next Tick.  For Settles all faults are before the first one. *)
Calm ==
  /\ Endless /\ ~calm /\ calm' = TRUE
  /\ UNCHANGED <<up, owner, disks, promise, poll, round, lease, resigned, obeyed, crashes, transfers, turn>>

Steps == (Next \/ (Calm /\ Watch))
Endlessly == Init /\ [][Steps]_vars

(* MA-039: the waits are random, and do not know who is free.  So if again *)
(* and again a majority is, one day one wait is over then, and no other.   *)
Alone(m) ==
  /\ turn' = {m} /\ calm
  /\ IsQuorum({v \in Voters : promise[v].left <= 2 \/ IsFree(v, m)})
  /\ Ticks({m}) /\ Watch
RandomWaits == \A m \in Voters : SF_vars(Alone(m))

FairSpec == Endlessly /\ WF_vars(Steps) /\ WF_vars(Boots /\ Watch) /\ RandomWaits
SameWaits == Endlessly /\ WF_vars(Steps) /\ WF_vars(Boots /\ Watch)
NoBoots == Endlessly /\ WF_vars(Steps) /\ RandomWaits

Settles == <>[](\E m \in Voters : Holds(m))

-----------------------------------------------------------------------------
TypeOK ==
  /\ \A m \in Voters :
       /\ up[m] \in BOOLEAN /\ lease[m] \in 0..Lease /\ (lease[m] > 0 => round[m].term > 0)
       /\ stored[m] <= known[m] /\ obeyed[m] <= stored[m]
       /\ promise[m].term \in 0..MaxTerm /\ promise[m].left \in 0..Promise
       /\ round[m].term \in 0..MaxTerm /\ round[m].age \in 0..Lease
       /\ round[m].by \intersect round[m].due = {}

(* C6: never two masters at one time.                                      *)
OneActs == \A m, n \in Voters : Holds(m) /\ Holds(n) => m = n

(* No lease is of a smaller term than one that was before it.              *)
TermsGrow == \A m \in Voters : Holds(m) => \A t \in led : t <= round[m].term

(* What a candidate counts, no crash takes back.                           *)
VotesAreStored == \A m \in Voters : \A v \in round[m].by : stored[v] >= round[m].term

(* No term is begun against a majority that has stood by one living master *)
(* since before the poll for that term began.                              *)
Undisturbed == ~rash

(* Nobody obeys a smaller term than one that it has obeyed.                *)
Fenced == [][\A v \in Voters : obeyed'[v] >= obeyed[v]]_vars
=============================================================================
