------------------------------ MODULE Handover ------------------------------
(***************************************************************************)
(* The hand-over of custody between members, chapter "Hand-over" of the    *)
(* specification.  One message, for one recipient, in the custody of a     *)
(* sender; several receivers that may take it.  The network keeps, loses   *)
(* and delays frames as it likes: an old COMMIT may arrive after a newer   *)
(* RESOLVE, from a connection that its sender has given up long ago.       *)
(*                                                                         *)
(* That a body may go on where an earlier connection broke off (SU-060 to  *)
(* SU-064) lies within TRANSFER: a receiver in the model has all octets of *)
(* an offer or none, nothing that is kept of a part is durable or promised,*)
(* and the digest of the whole is compared before anything is transferred. *)
(*                                                                         *)
(* An action has the name of the step in the specification that it is; the *)
(* clause is named beside it.  Bug plants one wrong rule, so that for each *)
(* invariant there is a configuration in which it does not hold.           *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Receivers,      \* members that can take custody
  MaxOffers,      \* offers of one transfer id
  MaxTransfers,   \* transfer ids that the sender may mint
  MaxCrashes,     \* crashes of any member, in sum
  MaxLosses,      \* connections that are lost, in sum
  MaxDisks,       \* disks of receivers that are lost, in sum
  Repeats,        \* whether the network may repeat what it carries to a receiver
  Bug             \* "none", or the name of a planted fault

ASSUME MaxOffers >= 1 /\ MaxTransfers >= 1

Ids == 1..MaxTransfers
Offers == 1..MaxOffers
None == 0

(* The durable part of the sender.                                         *)
VARIABLES
  custody,        \* the message is in the sender's queue
  transfers,      \* the hand-overs for which COMMIT was stored: id -> record, see NoTransfer
  minted,         \* the ids up to this one were given; a boot goes on behind it (fresh incarnation)
  suspect,        \* what follows may be double, and is marked so
  over            \* all ids up to this one but those in doubt are over: what RELEASE says

(* The sender's memory.                                                    *)
VARIABLES
  dialogue,       \* what it waits for
  line            \* the number of its present connection; replies on older ones are not heard

(* The receivers.                                                          *)
VARIABLES
  store,          \* the store id of each
  accepted,       \* the ids that each has accepted, durable
  fences,         \* the greatest offer of each id that each refuses for ever, durable
  released,       \* the ids of which each knows that they are over, durable
  copies,         \* the ids under which the message is in the custody of each, durable
  stored,         \* the copies that have left the receivers' custody for good: <<receiver, id>>
  transferred     \* what lies complete on a connection, in memory: <<line, id, offer>>

VARIABLES net, crashes, losses, disks

sender == <<custody, transfers, minted, suspect, over, dialogue, line>>
receiver == <<store, accepted, fences, released, copies, stored, transferred>>
faults == <<crashes, losses, disks>>
vars == <<sender, receiver, net, faults>>

NoTransfer == [state |-> "none", offer |-> 0, peer |-> None, store |-> 0]
Idle == [wait |-> "idle", id |-> 0, offer |-> 0, peer |-> None]

Doubtful(id) == transfers[id].state = "doubt"
InDoubt == \E id \in Ids : Doubtful(id)
\* The ids of which the sender may speak again: RELEASE names them as exceptions.
Live == {id \in Ids : Doubtful(id)} \cup (IF dialogue.wait = "idle" THEN {} ELSE {dialogue.id})

Frame(kind, r, id, n) == [kind |-> kind, to |-> r, line |-> line, id |-> id, offer |-> n]
Reply(m, word) == [kind |-> word, to |-> None, line |-> m.line, id |-> m.id, offer |-> m.offer,
                   store |-> store[m.to], from |-> m.to]
Say(frame) == net' = net \cup {frame}
\* Nobody hears a reply on a connection that is given up, so none is kept there.
Taken(m) == IF Repeats THEN net ELSE net \ {m}
Answer(m, word) == net' = Taken(m) \cup (IF m.line = line THEN {Reply(m, word)} ELSE {})
\* What was asked may still arrive after the connection is given up; replies there are gone.
Asked == {m \in net : m.to # None}

Init ==
  /\ custody = TRUE /\ transfers = [id \in Ids |-> NoTransfer] /\ minted = 0
  /\ suspect = FALSE /\ over = 0
  /\ dialogue = Idle /\ line = 1
  /\ store = [r \in Receivers |-> 1] /\ accepted = [r \in Receivers |-> {}]
  /\ fences = [r \in Receivers |-> [id \in Ids |-> 0]]
  /\ released = [r \in Receivers |-> {}] /\ copies = [r \in Receivers |-> {}]
  /\ transferred = [r \in Receivers |-> {}] /\ stored = {}
  /\ net = {} /\ crashes = 0 /\ losses = 0 /\ disks = 0

-----------------------------------------------------------------------------
(* The sender.                                                             *)

\* SU-001, SU-020: an offer, of a new id or again of a fenced one; nothing is in doubt.
Offer(r) ==
  /\ custody /\ ~InDoubt /\ dialogue.wait = "idle"
  /\ \E id \in Ids :
       /\ \/ id = minted + 1 /\ minted' = id
          \/ id <= minted /\ id > over /\ transfers[id].state = "fenced" /\ UNCHANGED minted
       /\ LET n == transfers[id].offer + 1 IN
            /\ n \in Offers
            /\ dialogue' = [wait |-> "transferred", id |-> id, offer |-> n, peer |-> r]
            /\ Say(Frame("OFFER", r, id, n))
  /\ UNCHANGED <<custody, transfers, suspect, over, line, receiver, faults>>

\* SU-002: {id, offer, peer, the peer's store id} is durable before COMMIT leaves.
Commit(m) ==
  /\ m \in net /\ m.kind = "TRANSFERRED" /\ m.line = line
  /\ dialogue.wait = "transferred" /\ dialogue.id = m.id /\ dialogue.offer = m.offer
  /\ dialogue' = [dialogue EXCEPT !.wait = "handed over"]
  /\ transfers' = IF Bug = "commit before durable" THEN transfers
                  ELSE [transfers EXCEPT ![m.id] =
                         [state |-> "doubt", offer |-> m.offer, peer |-> dialogue.peer,
                          store |-> m.store]]
  /\ net' = (net \ {m}) \cup {Frame("COMMIT", dialogue.peer, m.id, m.offer)}
  /\ UNCHANGED <<custody, minted, suspect, over, line, receiver, faults>>

\* SU-003: custody ends when the peer says that it has it.
HandedOver(m) ==
  /\ m \in net /\ m.kind = "HANDED OVER" /\ m.line = line /\ dialogue.id = m.id
  /\ dialogue.wait \in {"transferred", "handed over", "resolved"}
  /\ custody' = FALSE
  /\ transfers' = [transfers EXCEPT ![m.id] = NoTransfer]
  /\ dialogue' = Idle /\ net' = net \ {m}
  /\ UNCHANGED <<minted, suspect, over, line, receiver, faults>>

\* SU-004: a refusal of COMMIT settles nothing; a refusal of OFFER frees.
Refused(m) ==
  /\ m \in net /\ m.kind = "REFUSED" /\ m.line = line
  /\ dialogue.id = m.id /\ dialogue.offer = m.offer
  /\ dialogue' = Idle /\ net' = net \ {m}
  /\ transfers' = IF Bug = "refused means refused" /\ dialogue.wait = "handed over"
                  THEN [transfers EXCEPT ![m.id].state = "fenced"] ELSE transfers
  /\ UNCHANGED <<custody, minted, suspect, over, line, receiver, faults>>

\* SU-021: only RESOLVE settles what is in doubt, with the peer that it is in doubt with.
Resolve(id) ==
  /\ dialogue.wait = "idle" /\ Doubtful(id) /\ Bug # "nobody resolves"
  /\ dialogue' = [wait |-> "resolved", id |-> id, offer |-> transfers[id].offer,
                  peer |-> transfers[id].peer]
  /\ Say(Frame(IF Bug = "fallback on unknown" THEN "STATUS" ELSE "RESOLVE",
               transfers[id].peer, id, transfers[id].offer))
  /\ UNCHANGED <<custody, transfers, minted, suspect, over, line, receiver, faults>>

\* SU-022, SU-040: the durable fence of the disk to which COMMIT went releases the message; the
\* fence of another disk releases it too, and marks it.
Released(m) ==
  /\ m \in net /\ m.line = line /\ dialogue.wait = "resolved" /\ dialogue.id = m.id
  /\ m.kind \in {"FENCED", "UNKNOWN"} /\ m.offer >= dialogue.offer
  /\ transfers' = [transfers EXCEPT ![m.id].state = "fenced"]
  /\ suspect' = IF Bug = "other disk unmarked" THEN suspect
                ELSE IF Bug = "marked without cause" THEN TRUE
                ELSE suspect \/ m.store # transfers[m.id].store
  /\ dialogue' = Idle /\ net' = net \ {m}
  /\ UNCHANGED <<custody, minted, over, line, receiver, faults>>

\* SU-008: the answer DONE to what the sender believes in doubt: its own disk was rolled back, or
\* the peer's.  It is no custody.  The model has no such disk, and shows that DONE is never heard.
Done(m) ==
  /\ m \in net /\ m.kind = "DONE" /\ m.line = line /\ dialogue.id = m.id
  /\ transfers' = [transfers EXCEPT ![m.id].state = "fenced"]
  /\ suspect' = TRUE /\ dialogue' = Idle /\ net' = net \ {m}
  /\ UNCHANGED <<custody, minted, over, line, receiver, faults>>

\* SU-031, SU-032: all ids up to the watermark are over, but for the live ones.  It is said on a
\* connection that waits for nothing, and is true for ever.
Release(r) ==
  /\ dialogue.wait = "idle" /\ minted > 0
  /\ \A m \in net : ~(m.kind = "RELEASE" /\ m.to = r)
  /\ LET except == IF Bug = "release without exceptions" THEN {} ELSE Live
         ended == (1..minted) \ except
     IN
       /\ ~(ended \subseteq released[r])
       /\ Say([Frame("RELEASE", r, minted, 0) EXCEPT !.id = 0] @@ [ended |-> ended])
       /\ over' = minted
  /\ UNCHANGED <<custody, transfers, minted, suspect, dialogue, line, receiver, faults>>

\* The connection is lost: what was only offered is free, what was committed stays in doubt.
LoseLine ==
  /\ losses < MaxLosses /\ losses' = losses + 1
  /\ line' = line + 1 /\ dialogue' = Idle
  /\ transfers' = IF Bug = "fallback while in doubt" /\ dialogue.wait = "handed over"
                  THEN [transfers EXCEPT ![dialogue.id].state = "fenced"] ELSE transfers
  /\ net' = Asked
  /\ UNCHANGED <<custody, minted, suspect, over, receiver, crashes, disks>>

\* CU-005: a boot knows what is durable, and nothing else.
CrashSender ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ line' = line + 1 /\ dialogue' = Idle /\ net' = Asked
  /\ UNCHANGED <<custody, transfers, minted, suspect, over, receiver, losses, disks>>

-----------------------------------------------------------------------------
(* A receiver.                                                             *)

Knows(m) == m.id \in accepted[m.to]

\* SU-010, SU-011, SU-014, SU-033: transferred, nothing promised; or what is settled already.
Transferred(m) ==
  /\ m \in net /\ m.kind = "OFFER"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED transferred
     ELSE IF m.id \in released[m.to] THEN Answer(m, "DONE") /\ UNCHANGED transferred
     ELSE IF m.offer <= fences[m.to][m.id] THEN Answer(m, "REFUSED") /\ UNCHANGED transferred
     ELSE /\ Answer(m, "TRANSFERRED")
          /\ transferred' = [transferred EXCEPT ![m.to] = @ \cup {<<m.line, m.id, m.offer>>}]
  /\ UNCHANGED <<sender, store, accepted, fences, released, copies, stored, faults>>

\* SU-016, SU-017, SU-033: insert if absent, in one write with the message, durable before the word.
Accept(m) ==
  /\ m \in net /\ m.kind = "COMMIT"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED <<accepted, copies>>
     ELSE IF m.id \in released[m.to] /\ Bug # "released is new"
       THEN Answer(m, "DONE") /\ UNCHANGED <<accepted, copies>>
     ELSE IF \/ <<m.line, m.id, m.offer>> \notin transferred[m.to]
             \/ m.offer <= fences[m.to][m.id] /\ Bug # "fence ignored"
       THEN Answer(m, "REFUSED") /\ UNCHANGED <<accepted, copies>>
     ELSE /\ \/ Answer(m, "HANDED OVER")
                /\ accepted' = [accepted EXCEPT ![m.to] = @ \cup {m.id}]
                /\ copies' = [copies EXCEPT ![m.to] = @ \cup {m.id}]
             \* Planted: the word leaves, and the write never happens.
             \/ /\ Bug = "accept before durable" /\ crashes < MaxCrashes
                /\ Answer(m, "HANDED OVER") /\ UNCHANGED <<accepted, copies>>
  /\ UNCHANGED <<sender, store, fences, released, stored, transferred, faults>>

\* SU-023: in the commit order of acceptance, accepted or durably fenced.
Fence(m) ==
  /\ m \in net /\ m.kind = "RESOLVE"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED fences
     ELSE IF m.id \in released[m.to] THEN Answer(m, "DONE") /\ UNCHANGED fences
     ELSE /\ Answer(m, "FENCED")
          /\ fences' = IF Bug = "resolve without fence" \/ fences[m.to][m.id] >= m.offer THEN fences
                       ELSE [fences EXCEPT ![m.to][m.id] = m.offer]
  /\ UNCHANGED <<sender, store, accepted, released, copies, stored, transferred, faults>>

\* SU-024: STATUS changes nothing.  Only the planted sender asks it here.
Status(m) ==
  /\ m \in net /\ m.kind = "STATUS"
  /\ Answer(m, IF Knows(m) THEN "HANDED OVER" ELSE "UNKNOWN")
  /\ UNCHANGED <<sender, receiver, faults>>

\* SU-033: the receiver forgets what is over, and remembers that it is over.  The copy is custody,
\* not journal: it stays until it is delivered.
Forget(m) ==
  /\ m \in net /\ m.kind = "RELEASE"
  /\ released' = [released EXCEPT ![m.to] = @ \cup m.ended]
  /\ accepted' = [accepted EXCEPT ![m.to] = @ \ m.ended]
  /\ fences' = [fences EXCEPT ![m.to] = [id \in Ids |-> IF id \in m.ended THEN 0 ELSE @[id]]]
  /\ net' = Taken(m)
  /\ UNCHANGED <<sender, store, copies, stored, transferred, faults>>

\* A custodian delivers, or hands over in its turn.  Where no disk is lost it makes no difference.
PassOn(r) ==
  /\ MaxDisks > 0 /\ copies[r] # {}
  /\ stored' = stored \cup {<<r, id>> : id \in copies[r]}
  /\ copies' = [copies EXCEPT ![r] = {}]
  /\ UNCHANGED <<sender, store, accepted, fences, released, transferred, net, faults>>

CrashReceiver(r) ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ transferred' = [transferred EXCEPT ![r] = {}]
  /\ fences' = IF Bug = "fence in memory" THEN [fences EXCEPT ![r] = [id \in Ids |-> 0]] ELSE fences
  /\ UNCHANGED <<sender, store, accepted, released, copies, stored, net, losses, disks>>

\* The assumption of the specification broken: everything of this member is gone, and what it begins
\* anew has another store id.  Connections end with the process, so nothing late arrives there.
LoseDisk(r) ==
  /\ disks < MaxDisks /\ disks' = disks + 1
  /\ store' = [store EXCEPT ![r] = @ + 1]
  /\ accepted' = [accepted EXCEPT ![r] = {}] /\ copies' = [copies EXCEPT ![r] = {}]
  /\ fences' = [fences EXCEPT ![r] = [id \in Ids |-> 0]]
  /\ released' = [released EXCEPT ![r] = {}]
  /\ transferred' = [transferred EXCEPT ![r] = {}]
  /\ net' = {m \in net : m.to # r}
  /\ UNCHANGED <<sender, stored, crashes, losses>>

-----------------------------------------------------------------------------
\* A frame that is never served is lost; one that is served late was delayed.  Nothing more is needed.
Speak ==
  \/ \E r \in Receivers : Offer(r) \/ Release(r) \/ PassOn(r)
  \/ \E id \in Ids : Resolve(id)
Hear(m) == Commit(m) \/ HandedOver(m) \/ Refused(m) \/ Released(m) \/ Done(m)
Serve(m) == Transferred(m) \/ Accept(m) \/ Fence(m) \/ Status(m) \/ Forget(m)
Fault == LoseLine \/ CrashSender \/ (\E r \in Receivers : CrashReceiver(r) \/ LoseDisk(r))

Next == Speak \/ (\E m \in net : Hear(m) \/ Serve(m)) \/ Fault

Symmetry == Permutations(Receivers)

\* Once the faults are used up, frames on the present connection arrive and are answered, and a
\* sender that has something to say says it.
Fairness ==
  /\ WF_vars(\E r \in Receivers : Offer(r)) /\ WF_vars(\E id \in Ids : Resolve(id))
  /\ WF_vars(\E m \in net : Hear(m)) /\ WF_vars(\E m \in net : m.line = line /\ Serve(m))

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
(* What holds.                                                             *)

Copies == stored \cup UNION {{<<r, id>> : id \in copies[r]} : r \in Receivers}

TypeOK ==
  /\ custody \in BOOLEAN /\ suspect \in BOOLEAN /\ minted \in 0..MaxTransfers /\ over \in 0..minted
  /\ \A id \in Ids : transfers[id].state \in {"none", "doubt", "fenced"}
  /\ dialogue.wait \in {"idle", "transferred", "handed over", "resolved"}
  /\ \A r \in Receivers : accepted[r] \subseteq Ids /\ released[r] \subseteq Ids

\* C1: there is a custodian, unless a disk that had the message was lost with it.
NoLoss == disks = 0 => custody \/ Copies # {}

\* C2: accepted at most once, unless it is marked.
NoDuplicate == ~suspect => Cardinality(Copies) <= 1

\* C3: while the sender may begin an attempt, nobody else has custody; unless it is marked.
OneCustodian == custody /\ ~InDoubt /\ ~suspect => Copies = {}

\* SU-031: what is said to be over is never spoken of again.
ReleaseIsTrue == \A r \in Receivers : released[r] \cap {id \in Ids : Doubtful(id)} = {}

\* SU-008: without a rolled-back disk nobody hears DONE on a connection that is in use.
DoneIsNeverHeard == \A m \in net : m.kind = "DONE" /\ m.line = line => dialogue.id # m.id

\* SU-041: mail that no disk has lost is never called suspect.
SuspectHasCause == disks = 0 => ~suspect

\* Custody moves in the end, or the offers are used up and it stays where it is.
Settled == ~InDoubt
Settles == <>[](Settled)
=============================================================================
