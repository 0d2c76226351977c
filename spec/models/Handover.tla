------------------------------ MODULE Handover ------------------------------
(***************************************************************************)
(* The hand-over of custody between members, chapter "Hand-over" of the    *)
(* specification.  One message, for one recipient, in the custody of each  *)
(* sender; several receivers that may take them.  The network keeps, loses *)
(* and delays frames as it likes: an old COMMIT may arrive after a newer   *)
(* RESOLVE, from a connection that its sender has given up long ago.  The  *)
(* senders number their transfers alike: an id is a sender and a number.   *)
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
  Senders,        \* members that have a message each
  Receivers,      \* members that can take custody
  MaxOffers,      \* offers of one transfer id
  MaxTransfers,   \* transfer ids that each sender may mint
  MaxCrashes,     \* crashes of any member, in sum
  MaxLosses,      \* connections that are lost, in sum
  MaxDisks,       \* disks of receivers that are lost, in sum
  Repeats,        \* whether the network may repeat what it carries to a receiver
  Bug             \* "none", or the name of a planted fault

ASSUME MaxOffers >= 1 /\ MaxTransfers >= 1

Ids == 1..MaxTransfers
Names == Senders \X Ids
Offers == 1..MaxOffers
None == 0

(* The durable part of each sender.                                        *)
VARIABLES
  custody,        \* the message is in its queue
  transfers,      \* the hand-overs for which COMMIT was stored: id -> record, see NoTransfer
  minted,         \* the ids up to this one were given; a boot goes on behind it (fresh incarnation)
  suspect,        \* what follows may be double, and is marked so
  over            \* all ids up to this one but those in doubt are over: what RELEASE says

(* The memory of each sender.                                              *)
VARIABLES
  dialogue,       \* what it waits for
  line,           \* the number of its present connection; replies on older ones are not heard
  asked           \* planted only: the ids that it has asked about since it booted

(* The receivers.                                                          *)
VARIABLES
  store,          \* the store id of each
  accepted,       \* the ids that each has accepted, durable
  fences,         \* the greatest offer of each id that each refuses for ever, durable
  released,       \* the ids of which each knows that they are over, durable
  copies,         \* the ids under which the message is in the custody of each, durable
  stored,         \* the copies that have left the receivers' custody for good: <<receiver, sender, id>>
  transferred     \* what lies complete on a connection, in memory: <<sender, line, id, offer>>

VARIABLES net, crashes, losses, disks

sender == <<custody, transfers, minted, suspect, over, dialogue, line, asked>>
receiver == <<store, accepted, fences, released, copies, stored, transferred>>
faults == <<crashes, losses, disks>>
vars == <<sender, receiver, net, faults>>

NoTransfer == [state |-> "none", offer |-> 0, peer |-> None, store |-> 0]
Idle == [wait |-> "idle", id |-> 0, offer |-> 0, peer |-> None]

Doubtful(s, id) == transfers[s][id].state = "doubt"
InDoubt(s) == \E id \in Ids : Doubtful(s, id)
\* The ids of which the sender may speak again: RELEASE names them as exceptions.
Live(s) ==
  {id \in Ids : Doubtful(s, id)} \cup (IF dialogue[s].wait = "idle" THEN {} ELSE {dialogue[s].id})

Frame(kind, s, r, id, n) ==
  [kind |-> kind, by |-> s, to |-> r, line |-> line[s], id |-> id, offer |-> n]
Reply(m, word) == [kind |-> word, by |-> m.by, to |-> None, line |-> m.line, id |-> m.id,
                   offer |-> m.offer, store |-> store[m.to], from |-> m.to]
Say(frame) == net' = net \cup {frame}
\* Nobody hears a reply on a connection that is given up, so none is kept there.
Taken(m) == IF Repeats THEN net ELSE net \ {m}
Answer(m, word) == net' = Taken(m) \cup (IF m.line = line[m.by] THEN {Reply(m, word)} ELSE {})
\* What a sender asked may still arrive after it gave the connection up; replies there are gone.
Asked(s) == {m \in net : m.by # s \/ m.to # None}

Init ==
  /\ custody = [s \in Senders |-> TRUE]
  /\ transfers = [s \in Senders |-> [id \in Ids |-> NoTransfer]]
  /\ minted = [s \in Senders |-> 0] /\ suspect = [s \in Senders |-> FALSE]
  /\ over = [s \in Senders |-> 0] /\ dialogue = [s \in Senders |-> Idle]
  /\ line = [s \in Senders |-> 1] /\ asked = [s \in Senders |-> {}]
  /\ store = [r \in Receivers |-> 1] /\ accepted = [r \in Receivers |-> {}]
  /\ fences = [r \in Receivers |-> [name \in Names |-> 0]]
  /\ released = [r \in Receivers |-> {}] /\ copies = [r \in Receivers |-> {}]
  /\ transferred = [r \in Receivers |-> {}] /\ stored = {}
  /\ net = {} /\ crashes = 0 /\ losses = 0 /\ disks = 0

-----------------------------------------------------------------------------
(* A sender.                                                               *)

\* SU-001, SU-020: an offer, of a new id or again of a fenced one; nothing is in doubt.
Offer(s, r) ==
  /\ custody[s] /\ ~InDoubt(s) /\ dialogue[s].wait = "idle"
  /\ \E id \in Ids :
       /\ \/ id = minted[s] + 1 /\ minted' = [minted EXCEPT ![s] = id]
          \/ id <= minted[s] /\ id > over[s] /\ transfers[s][id].state = "fenced" /\ UNCHANGED minted
       /\ LET n == transfers[s][id].offer + 1 IN
            /\ n \in Offers
            /\ dialogue' = [dialogue EXCEPT
                              ![s] = [wait |-> "transferred", id |-> id, offer |-> n, peer |-> r]]
            /\ Say(Frame("OFFER", s, r, id, n))
  /\ UNCHANGED <<custody, transfers, suspect, over, line, asked, receiver, faults>>

\* SU-002: {id, offer, peer, the peer's store id} is durable before COMMIT leaves.
Commit(s, m) ==
  /\ m.kind = "TRANSFERRED" /\ m.line = line[s]
  /\ dialogue[s].wait = "transferred" /\ dialogue[s].id = m.id /\ dialogue[s].offer = m.offer
  /\ dialogue' = [dialogue EXCEPT ![s].wait = "handed over"]
  /\ transfers' = IF Bug = "commit before durable" THEN transfers
                  ELSE [transfers EXCEPT ![s][m.id] =
                         [state |-> "doubt", offer |-> m.offer, peer |-> dialogue[s].peer,
                          store |-> m.store]]
  /\ net' = (net \ {m}) \cup {Frame("COMMIT", s, dialogue[s].peer, m.id, m.offer)}
  /\ UNCHANGED <<custody, minted, suspect, over, line, asked, receiver, faults>>

\* SU-003: custody ends when the peer says that it has it.
HandedOver(s, m) ==
  /\ m.kind = "HANDED OVER" /\ m.line = line[s] /\ dialogue[s].id = m.id
  /\ dialogue[s].wait \in {"transferred", "handed over", "resolved"}
  /\ custody' = [custody EXCEPT ![s] = FALSE]
  /\ transfers' = [transfers EXCEPT ![s][m.id] = NoTransfer]
  /\ dialogue' = [dialogue EXCEPT ![s] = Idle] /\ net' = net \ {m}
  /\ UNCHANGED <<minted, suspect, over, line, asked, receiver, faults>>

\* SU-004: a refusal of COMMIT settles nothing; a refusal of OFFER frees.
Refused(s, m) ==
  /\ m.kind = "REFUSED" /\ m.line = line[s]
  /\ dialogue[s].id = m.id /\ dialogue[s].offer = m.offer
  /\ dialogue' = [dialogue EXCEPT ![s] = Idle] /\ net' = net \ {m}
  /\ transfers' = IF Bug = "refused means refused" /\ dialogue[s].wait = "handed over"
                  THEN [transfers EXCEPT ![s][m.id].state = "fenced"] ELSE transfers
  /\ UNCHANGED <<custody, minted, suspect, over, line, asked, receiver, faults>>

\* SU-021: only RESOLVE settles what is in doubt, with the peer that it is in doubt with.
\* SU-080: it is asked as often as it takes, with other mail for that way or without.
Resolve(s, id) ==
  /\ dialogue[s].wait = "idle" /\ Doubtful(s, id) /\ Bug # "nobody resolves"
  /\ id \notin asked[s]
  /\ asked' = IF Bug = "asks once" THEN [asked EXCEPT ![s] = @ \cup {id}] ELSE asked
  /\ dialogue' = [dialogue EXCEPT ![s] = [wait |-> "resolved", id |-> id,
                    offer |-> transfers[s][id].offer, peer |-> transfers[s][id].peer]]
  /\ Say(Frame(IF Bug = "fallback on unknown" THEN "STATUS" ELSE "RESOLVE",
               s, transfers[s][id].peer, id, transfers[s][id].offer))
  /\ UNCHANGED <<custody, transfers, minted, suspect, over, line, receiver, faults>>

\* SU-022, SU-040: the durable fence of the disk to which COMMIT went releases the message; the
\* fence of another disk releases it too, and marks it.
Released(s, m) ==
  /\ m.line = line[s] /\ dialogue[s].wait = "resolved" /\ dialogue[s].id = m.id
  /\ m.kind \in {"FENCED", "UNKNOWN"} /\ m.offer >= dialogue[s].offer
  /\ transfers' = [transfers EXCEPT ![s][m.id].state = "fenced"]
  /\ suspect' = IF Bug = "other disk unmarked" THEN suspect
                ELSE IF Bug = "marked without cause" THEN [suspect EXCEPT ![s] = TRUE]
                ELSE [suspect EXCEPT ![s] = @ \/ m.store # transfers[s][m.id].store]
  /\ dialogue' = [dialogue EXCEPT ![s] = Idle] /\ net' = net \ {m}
  /\ UNCHANGED <<custody, minted, over, line, asked, receiver, faults>>

\* SU-008: the answer DONE to what the sender believes in doubt: its own disk was rolled back, or
\* the peer's.  It is no custody.  The model has no such disk, and shows that DONE is never heard.
Done(s, m) ==
  /\ m.kind = "DONE" /\ m.line = line[s] /\ dialogue[s].id = m.id
  /\ transfers' = [transfers EXCEPT ![s][m.id].state = "fenced"]
  /\ suspect' = [suspect EXCEPT ![s] = TRUE]
  /\ dialogue' = [dialogue EXCEPT ![s] = Idle] /\ net' = net \ {m}
  /\ UNCHANGED <<custody, minted, over, line, asked, receiver, faults>>

\* SU-031, SU-032: all ids up to the watermark are over, but for the live ones.  It is said on a
\* connection that waits for nothing, and is true for ever.
Release(s, r) ==
  /\ dialogue[s].wait = "idle" /\ minted[s] > 0
  /\ \A m \in net : ~(m.kind = "RELEASE" /\ m.by = s /\ m.to = r)
  /\ LET except == IF Bug = "release without exceptions" THEN {} ELSE Live(s)
         ended == (1..minted[s]) \ except
     IN
       /\ ~({s} \X ended \subseteq released[r])
       /\ Say([Frame("RELEASE", s, r, minted[s], 0) EXCEPT !.id = 0] @@ [ended |-> ended])
       /\ over' = [over EXCEPT ![s] = minted[s]]
  /\ UNCHANGED <<custody, transfers, minted, suspect, dialogue, line, asked, receiver, faults>>

\* The connection is lost: what was only offered is free, what was committed stays in doubt.
LoseLine(s) ==
  /\ losses < MaxLosses /\ losses' = losses + 1
  /\ line' = [line EXCEPT ![s] = @ + 1] /\ dialogue' = [dialogue EXCEPT ![s] = Idle]
  /\ transfers' = IF Bug = "fallback while in doubt" /\ dialogue[s].wait = "handed over"
                  THEN [transfers EXCEPT ![s][dialogue[s].id].state = "fenced"] ELSE transfers
  /\ net' = Asked(s)
  /\ UNCHANGED <<custody, minted, suspect, over, asked, receiver, crashes, disks>>

\* CU-005: a boot knows what is durable, and nothing else.
CrashSender(s) ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ line' = [line EXCEPT ![s] = @ + 1] /\ dialogue' = [dialogue EXCEPT ![s] = Idle]
  /\ asked' = [asked EXCEPT ![s] = {}] /\ net' = Asked(s)
  /\ UNCHANGED <<custody, transfers, minted, suspect, over, receiver, losses, disks>>

-----------------------------------------------------------------------------
(* A receiver.                                                             *)

Name(m) == <<m.by, m.id>>
Knows(m) == IF Bug = "id without the sender" THEN \E s \in Senders : <<s, m.id>> \in accepted[m.to]
            ELSE Name(m) \in accepted[m.to]

\* SU-010, SU-011, SU-014, SU-033: transferred, nothing promised; or what is settled already.
Transferred(m) ==
  /\ m \in net /\ m.kind = "OFFER"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED transferred
     ELSE IF Name(m) \in released[m.to] THEN Answer(m, "DONE") /\ UNCHANGED transferred
     ELSE IF m.offer <= fences[m.to][Name(m)] THEN Answer(m, "REFUSED") /\ UNCHANGED transferred
     ELSE /\ Answer(m, "TRANSFERRED")
          /\ transferred' = [transferred EXCEPT ![m.to] = @ \cup {<<m.by, m.line, m.id, m.offer>>}]
  /\ UNCHANGED <<sender, store, accepted, fences, released, copies, stored, faults>>

\* SU-016, SU-017, SU-033: insert if absent, in one write with the message, durable before the word.
Accept(m) ==
  /\ m \in net /\ m.kind = "COMMIT"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED <<accepted, copies>>
     ELSE IF Name(m) \in released[m.to] /\ Bug # "released is new"
       THEN Answer(m, "DONE") /\ UNCHANGED <<accepted, copies>>
     ELSE IF \/ <<m.by, m.line, m.id, m.offer>> \notin transferred[m.to]
             \/ m.offer <= fences[m.to][Name(m)] /\ Bug # "fence ignored"
       THEN Answer(m, "REFUSED") /\ UNCHANGED <<accepted, copies>>
     ELSE /\ \/ Answer(m, "HANDED OVER")
                /\ accepted' = [accepted EXCEPT ![m.to] = @ \cup {Name(m)}]
                /\ copies' = [copies EXCEPT ![m.to] = @ \cup {Name(m)}]
             \* Planted: the word leaves, and the write never happens.
             \/ /\ Bug = "accept before durable" /\ crashes < MaxCrashes
                /\ Answer(m, "HANDED OVER") /\ UNCHANGED <<accepted, copies>>
  /\ UNCHANGED <<sender, store, fences, released, stored, transferred, faults>>

\* SU-023: in the commit order of acceptance, accepted or durably fenced.
Fence(m) ==
  /\ m \in net /\ m.kind = "RESOLVE"
  /\ IF Knows(m) THEN Answer(m, "HANDED OVER") /\ UNCHANGED fences
     ELSE IF Name(m) \in released[m.to] THEN Answer(m, "DONE") /\ UNCHANGED fences
     ELSE /\ Answer(m, "FENCED")
          /\ fences' = IF Bug = "resolve without fence" \/ fences[m.to][Name(m)] >= m.offer THEN fences
                       ELSE [fences EXCEPT ![m.to][Name(m)] = m.offer]
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
  /\ LET ended == (IF Bug = "release of anybody" THEN Senders ELSE {m.by}) \X m.ended IN
       /\ released' = [released EXCEPT ![m.to] = @ \cup ended]
       /\ accepted' = [accepted EXCEPT ![m.to] = @ \ ended]
       /\ fences' = [fences EXCEPT ![m.to] = [name \in Names |-> IF name \in ended THEN 0 ELSE @[name]]]
  /\ net' = Taken(m)
  /\ UNCHANGED <<sender, store, copies, stored, transferred, faults>>

\* A custodian delivers, or hands over in its turn.  Where no disk is lost it makes no difference.
PassOn(r) ==
  /\ MaxDisks > 0 /\ copies[r] # {}
  /\ stored' = stored \cup {<<r, name[1], name[2]>> : name \in copies[r]}
  /\ copies' = [copies EXCEPT ![r] = {}]
  /\ UNCHANGED <<sender, store, accepted, fences, released, transferred, net, faults>>

CrashReceiver(r) ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ transferred' = [transferred EXCEPT ![r] = {}]
  /\ fences' = IF Bug = "fence in memory" THEN [fences EXCEPT ![r] = [name \in Names |-> 0]] ELSE fences
  /\ UNCHANGED <<sender, store, accepted, released, copies, stored, net, losses, disks>>

\* The assumption of the specification broken: everything of this member is gone, and what it begins
\* anew has another store id.  Connections end with the process, so nothing late arrives there.
LoseDisk(r) ==
  /\ disks < MaxDisks /\ disks' = disks + 1
  /\ store' = [store EXCEPT ![r] = @ + 1]
  /\ accepted' = [accepted EXCEPT ![r] = {}] /\ copies' = [copies EXCEPT ![r] = {}]
  /\ fences' = [fences EXCEPT ![r] = [name \in Names |-> 0]]
  /\ released' = [released EXCEPT ![r] = {}]
  /\ transferred' = [transferred EXCEPT ![r] = {}]
  /\ net' = {m \in net : m.to # r}
  /\ UNCHANGED <<sender, stored, crashes, losses>>

-----------------------------------------------------------------------------
\* A frame that is never served is lost; one that is served late was delayed.  Nothing more is needed.
Speak(s) ==
  \/ \E r \in Receivers : Offer(s, r) \/ Release(s, r)
  \/ \E id \in Ids : Resolve(s, id)
Hear(m) ==
  /\ m \in net /\ m.to = None
  /\ LET s == m.by IN
       Commit(s, m) \/ HandedOver(s, m) \/ Refused(s, m) \/ Released(s, m) \/ Done(s, m)
Serve(m) == Transferred(m) \/ Accept(m) \/ Fence(m) \/ Status(m) \/ Forget(m)
Fault ==
  \/ \E s \in Senders : LoseLine(s) \/ CrashSender(s)
  \/ \E r \in Receivers : CrashReceiver(r) \/ LoseDisk(r)

Next ==
  \/ \E s \in Senders : Speak(s)
  \/ \E r \in Receivers : PassOn(r)
  \/ \E m \in net : Hear(m) \/ Serve(m)
  \/ Fault

Symmetry == Permutations(Senders) \cup Permutations(Receivers)

\* Once the faults are used up, frames on the present connections arrive and are answered, and a
\* sender that has something to say says it.
Fairness ==
  \A s \in Senders :
    /\ WF_vars(\E r \in Receivers : Offer(s, r)) /\ WF_vars(\E id \in Ids : Resolve(s, id))
    /\ WF_vars(\E m \in net : m.by = s /\ Hear(m))
    /\ WF_vars(\E m \in net : m.by = s /\ m.line = line[s] /\ Serve(m))

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
(* What holds.                                                             *)

\* The copies of the message of a sender.
Copies(s) ==
  {copy \in stored : copy[2] = s}
    \cup UNION {{<<r, s, id>> : id \in {n \in Ids : <<s, n>> \in copies[r]}} : r \in Receivers}

TypeOK ==
  /\ \A s \in Senders :
       /\ custody[s] \in BOOLEAN /\ suspect[s] \in BOOLEAN
       /\ minted[s] \in 0..MaxTransfers /\ over[s] \in 0..minted[s]
       /\ \A id \in Ids : transfers[s][id].state \in {"none", "doubt", "fenced"}
       /\ dialogue[s].wait \in {"idle", "transferred", "handed over", "resolved"}
  /\ \A r \in Receivers : accepted[r] \subseteq Names /\ released[r] \subseteq Names

\* C1: there is a custodian, unless a disk that had the message was lost with it.
NoLoss == disks = 0 => \A s \in Senders : custody[s] \/ Copies(s) # {}

\* C2: accepted at most once, unless it is marked.
NoDuplicate == \A s \in Senders : ~suspect[s] => Cardinality(Copies(s)) <= 1

\* C3: while the sender may begin an attempt, nobody else has custody; unless it is marked.
OneCustodian ==
  \A s \in Senders : custody[s] /\ ~InDoubt(s) /\ ~suspect[s] => Copies(s) = {}

\* SU-031: what is said to be over is never spoken of again.
ReleaseIsTrue ==
  \A r \in Receivers, s \in Senders, id \in Ids : Doubtful(s, id) => <<s, id>> \notin released[r]

\* SU-008: without a rolled-back disk nobody hears DONE on a connection that is in use.
DoneIsNeverHeard ==
  \A m \in net : m.kind = "DONE" /\ m.line = line[m.by] => dialogue[m.by].id # m.id

\* SU-041: mail that no disk has lost is never called suspect.
SuspectHasCause == disks = 0 => \A s \in Senders : ~suspect[s]

\* Custody moves in the end, or the offers are used up and it stays where it is.
Settled == \A s \in Senders : ~InDoubt(s)
Settles == <>[](Settled)
=============================================================================
