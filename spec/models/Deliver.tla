------------------------------- MODULE Deliver -------------------------------
(***************************************************************************)
(* DELIVER, chapter "DELIVER" of the specification: a message for one      *)
(* recipient is in the queue of a sender; the account may be open at any   *)
(* of several hosts, one after another; the account store keeps the        *)
(* mailbox, the delivery journal and the outbox of the rules, and commits  *)
(* them together, under the epoch of the host that has the account open.   *)
(*                                                                         *)
(* Hosts pause for any time: one that lost the account goes on until the   *)
(* store refuses its epoch.  Bug plants one wrong rule.                    *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Hosts,          \* members that can have the account open
  MaxMoves,       \* how often the account moves
  MaxCrashes,     \* crashes of any member, in sum
  MaxLosses,      \* connections that are lost, in sum
  MaxTries,       \* DELIVER frames that the sender sends, in sum
  Accepting,      \* whether the account takes the message; otherwise it is refused for ever
  Bug             \* "none", or the name of a planted fault

Epochs == 1..(MaxMoves + 1)
Nobody == "nobody"
Words == {"delivered", "permanent"}

(* The account store: durable, and the only arbiter.                       *)
VARIABLES
  owner,          \* the host to which the account is granted
  epoch,          \* the greatest epoch that has opened it; the store refuses smaller ones
  journal,        \* the final word on the recipient: "none" or one of Words
  copies,         \* how many copies lie in the mailbox
  outputs         \* how often the outputs of the rules went to the outbox

(* The sender.                                                             *)
VARIABLES
  custody,        \* the recipient is in the sender's queue, durable
  marked,         \* the greatest epoch for which DELIVER left and may have been served, durable;
                  \* 0: nothing is in doubt
  returned,       \* the notices that the sender of the mail was sent, durable
  belief,         \* whom the sender takes for the owner: [host, epoch]
  dialogue,       \* "idle", "inquiring", "delivering"
  line            \* the number of its present connection

(* The hosts, in memory.                                                   *)
VARIABLES
  opened,         \* the epoch under which each host believes to have the account open; 0 for none
  underway,       \* deposits that are being made: <<host, epoch, line>>
  seen            \* the newest connection of the sender at each host

VARIABLES net, tries, crashes, losses

store == <<owner, epoch, journal, copies, outputs>>
sender == <<custody, marked, returned, belief, dialogue, line>>
hosts == <<opened, underway, seen>>
counts == <<tries, crashes, losses>>
vars == <<store, sender, hosts, net, counts>>

Init ==
  /\ owner \in Hosts /\ epoch = 1 /\ journal = "none" /\ copies = 0 /\ outputs = 0
  /\ custody = TRUE /\ marked = 0 /\ returned = 0
  /\ belief = [host |-> owner, epoch |-> 1] /\ dialogue = "idle" /\ line = 1
  /\ opened = [h \in Hosts |-> IF h = owner THEN 1 ELSE 0] /\ underway = {}
  /\ seen = [h \in Hosts |-> 0]
  /\ net = {} /\ tries = 0 /\ crashes = 0 /\ losses = 0

\* DE-041: a request names the epoch for which it is meant.  A host that has the account open under
\* another one does not serve it, so that what arrives late cannot be taken for something new.
Request(kind) == [kind |-> kind, to |-> belief.host, line |-> line, epoch |-> belief.epoch]
Word(l, e, word) == [kind |-> "RESULT", to |-> Nobody, line |-> l, word |-> word, under |-> e,
                     host |-> owner, epoch |-> epoch]
\* Only replies on the present connection are heard.
Replies(l, e, word) == IF l = line THEN {Word(l, e, word)} ELSE {}
Requests == {m \in net : m.to # Nobody}

-----------------------------------------------------------------------------
(* The sender.                                                             *)

\* DE-002, DE-003: marked durably before DELIVER leaves; what is in doubt is inquired first.
Deliver ==
  /\ custody /\ dialogue = "idle" /\ tries < MaxTries
  /\ marked = 0
  /\ marked' = belief.epoch /\ tries' = tries + 1 /\ dialogue' = "delivering"
  /\ net' = net \cup {Request("DELIVER")}
  /\ UNCHANGED <<store, custody, returned, belief, line, hosts, crashes, losses>>

\* DE-003, DE-040: whoever owns the account now is asked.
Inquire ==
  /\ custody /\ marked > 0 /\ dialogue = "idle"
  /\ dialogue' = "inquiring" /\ net' = net \cup {Request("INQUIRE")}
  /\ UNCHANGED <<store, custody, marked, returned, belief, line, hosts, counts>>

Hear(m) == m \in net /\ m.kind = "RESULT" /\ m.line = line

\* DE-004, DE-005: a final word ends it; the notice is one change with the removal.
Final(m) ==
  /\ Hear(m) /\ m.word \in Words
  /\ custody' = FALSE /\ marked' = 0 /\ dialogue' = "idle" /\ net' = net \ {m}
  /\ returned' = IF m.word = "permanent" THEN returned + 1 ELSE returned
  /\ UNCHANGED <<store, belief, line, hosts, counts>>

\* DE-006, DE-045: a temporary refusal settles what was meant for its epoch and for smaller ones: the
\* store will not commit under those.
Temporary(m) ==
  /\ Hear(m) /\ m.word = "temporary" /\ dialogue = "delivering"
  /\ marked' = IF m.under >= marked THEN 0 ELSE marked
  /\ dialogue' = "idle" /\ net' = net \ {m}
  /\ UNCHANGED <<store, custody, returned, belief, line, hosts, counts>>

\* DE-007: "nothing is recorded" releases nobody; it is delivered again, which settles it.
Again(m) ==
  /\ Hear(m) /\ m.word = "unknown" /\ dialogue = "inquiring"
  /\ IF tries < MaxTries
       THEN /\ dialogue' = "delivering" /\ tries' = tries + 1 /\ marked' = belief.epoch
            /\ net' = (net \ {m}) \cup {Request("DELIVER")}
     ELSE dialogue' = "idle" /\ net' = net \ {m} /\ UNCHANGED <<marked, tries>>
  /\ UNCHANGED <<store, custody, returned, belief, line, hosts, crashes, losses>>

\* DE-041, DE-050: moved is followed if it is newer than what the sender knew.  Asked, what was in doubt
\* stays so; a delivery that was not made there is not in doubt, for nothing else was when it left.
Moved(m) ==
  /\ Hear(m) /\ m.word = "moved" /\ dialogue' = "idle" /\ net' = net \ {m}
  /\ belief' = IF m.epoch > belief.epoch THEN [host |-> m.host, epoch |-> m.epoch] ELSE belief
  /\ line' = line + 1
  /\ marked' = IF dialogue = "delivering" THEN 0 ELSE marked
  /\ UNCHANGED <<store, custody, returned, hosts, counts>>

\* The list of the master says who owns the account, too.
Learn ==
  /\ dialogue = "idle" /\ belief.epoch < epoch
  /\ belief' = [host |-> owner, epoch |-> epoch]
  /\ UNCHANGED <<store, custody, marked, returned, dialogue, line, hosts, net, counts>>

\* CU-032: who is in doubt is not returned.
Expire ==
  /\ custody /\ dialogue = "idle" /\ (marked = 0 \/ Bug = "return while in doubt")
  /\ custody' = FALSE /\ marked' = 0 /\ returned' = returned + 1
  /\ UNCHANGED <<store, belief, dialogue, line, hosts, net, counts>>

\* DE-008: without a result, in doubt.
LoseLine ==
  /\ losses < MaxLosses /\ losses' = losses + 1
  /\ line' = line + 1 /\ dialogue' = "idle" /\ net' = Requests
  /\ UNCHANGED <<store, custody, marked, returned, belief, hosts, tries, crashes>>

CrashSender ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ line' = line + 1 /\ dialogue' = "idle" /\ net' = Requests
  /\ UNCHANGED <<store, custody, marked, returned, belief, hosts, tries, losses>>

-----------------------------------------------------------------------------
(* A host.                                                                 *)

Old(m) == m.line < seen[m.to] /\ Bug # "older connections live"
Heard(m) == seen' = [seen EXCEPT ![m.to] = IF m.line > @ THEN m.line ELSE @]

\* DE-020, DE-023, DE-024, DE-025, DE-042: begin, or say what is known.
Take(m) ==
  /\ m \in net /\ m.kind = "DELIVER" /\ Heard(m)
  /\ LET h == m.to IN
     IF Old(m) THEN net' = net \ {m} /\ UNCHANGED <<underway, store>>
     ELSE IF opened[h] # m.epoch /\ ~(Bug = "epoch not named" /\ opened[h] > 0)
       THEN /\ \/ net' = (net \ {m}) \cup Replies(m.line, 0, "moved")
               \/ /\ Bug = "unknown without authority"
                  /\ net' = (net \ {m}) \cup Replies(m.line, 0, "permanent")
            /\ UNCHANGED <<underway, store>>
     ELSE IF journal # "none"
       THEN net' = (net \ {m}) \cup Replies(m.line, opened[h], journal)
            /\ UNCHANGED <<underway, store>>
     ELSE /\ net' = net \ {m}
          /\ underway' = underway \cup {<<h, opened[h], m.line>>}
          /\ outputs' = IF Bug = "rules outside the commit" THEN outputs + 1 ELSE outputs
          /\ UNCHANGED <<owner, epoch, journal, copies>>
  /\ UNCHANGED <<sender, opened, counts>>

\* DE-021: from the journal, after what is under way there has ended.
Tell(m) ==
  /\ m \in net /\ m.kind = "INQUIRE" /\ Heard(m)
  /\ \A u \in underway : u[1] # m.to
  /\ net' = (net \ {m}) \cup
       (IF Old(m) THEN {}
        ELSE IF opened[m.to] # m.epoch THEN Replies(m.line, 0, "moved")
        ELSE IF journal = "none" THEN Replies(m.line, m.epoch, "unknown")
        ELSE Replies(m.line, m.epoch, journal))
  /\ UNCHANGED <<store, sender, opened, underway, counts>>

\* DE-028, DE-043: message, journal and outbox in one commit of the store, if the epoch is not
\* smaller than any that has opened it.  A host that is refused has lost the account.
Record(u) ==
  LET h == u[1] e == u[2] l == u[3]
      fenced == e < epoch /\ Bug # "epoch not checked"
      repeat == journal # "none"
  IN
  /\ u \in underway /\ underway' = underway \ {u}
  /\ IF fenced
       THEN /\ net' = net \cup Replies(l, e, "temporary")
            /\ opened' = [opened EXCEPT ![h] = IF @ = e THEN 0 ELSE @]
            /\ UNCHANGED <<journal, copies, outputs>>
     ELSE IF repeat
       THEN /\ net' = net \cup Replies(l, e, journal)
            /\ UNCHANGED <<journal, copies, outputs, opened>>
     ELSE /\ journal' = IF Accepting THEN "delivered" ELSE "permanent"
          /\ copies' = IF Accepting THEN copies + 1 ELSE copies
          /\ outputs' = IF Accepting /\ Bug # "rules outside the commit" THEN outputs + 1 ELSE outputs
          /\ net' = net \cup Replies(l, e, IF Accepting THEN "delivered" ELSE "permanent")
          /\ UNCHANGED opened
  /\ UNCHANGED <<owner, epoch, sender, seen, counts>>

\* DE-029: a delivery that fails is refused for now, and not recorded.
RefuseForNow(u) ==
  /\ u \in underway /\ underway' = underway \ {u}
  /\ net' = net \cup Replies(u[3], u[2], "temporary")
  /\ UNCHANGED <<store, sender, opened, seen, counts>>

\* DE-030: the word before the commit; only planted.
SpeakEarly(u) ==
  /\ Bug = "result before the commit" /\ u \in underway
  /\ net' = net \cup Replies(u[3], u[2], "delivered")
  /\ UNCHANGED <<store, sender, hosts, counts>>

\* The account is granted to another host.  The old one is not told.
Move(h) ==
  /\ epoch <= MaxMoves /\ h # owner
  /\ owner' = h /\ epoch' = epoch + 1 /\ opened' = [opened EXCEPT ![h] = epoch + 1]
  /\ journal' = IF Bug = "journal left behind" THEN "none" ELSE journal
  /\ UNCHANGED <<copies, outputs, sender, underway, seen, net, counts>>

\* A boot has nothing open but what is granted to it; deposits that were not recorded are gone.
CrashHost(h) ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ opened' = [opened EXCEPT ![h] = IF owner = h THEN epoch ELSE 0]
  /\ underway' = {u \in underway : u[1] # h}
  /\ seen' = [seen EXCEPT ![h] = 0]
  /\ net' = {m \in net : m.to # h}
  /\ UNCHANGED <<store, sender, tries, losses>>

-----------------------------------------------------------------------------
HearAny == \E m \in net : Final(m) \/ Temporary(m) \/ Again(m) \/ Moved(m)
ServeAny == (\E m \in net : Take(m) \/ Tell(m)) \/ (\E u \in underway : Record(u) \/ RefuseForNow(u) \/ SpeakEarly(u))
Fault == LoseLine \/ CrashSender \/ \E h \in Hosts : CrashHost(h) \/ Move(h)
Next == Deliver \/ Inquire \/ Learn \/ Expire \/ HearAny \/ ServeAny \/ Fault

\* A host that died takes the connection with it; the sender notices, for it waits no longer than
\* its time limit.
Silent == dialogue # "idle" /\ ~(\E m \in net : m.line = line) /\ ~(\E u \in underway : u[3] = line)
Notice ==
  /\ Silent /\ line' = line + 1 /\ dialogue' = "idle" /\ net' = Requests
  /\ UNCHANGED <<store, custody, marked, returned, belief, hosts, counts>>

Spec == Init /\ [][Next \/ Notice]_vars
        /\ WF_vars(Notice) /\ WF_vars(Inquire) /\ WF_vars(Deliver)
        /\ WF_vars(HearAny) /\ WF_vars(ServeAny)

Symmetry == Permutations(Hosts)

-----------------------------------------------------------------------------
(* What holds.                                                             *)

\* C1
NoLoss == custody \/ copies > 0 \/ returned > 0
\* C2
StoredOnce == copies <= 1
\* C7: a notice is issued once, and never about what is stored.
TruthfulBounce == returned <= 1 /\ ~(returned > 0 /\ copies > 0)
\* DE-043: the outputs of the rules leave once, and only with the copy.
RulesOnce == outputs <= 1 /\ (outputs > 0 => copies > 0)
\* DE-042: a final word is spoken only when it is the store's.
Authority == \A m \in net : m.kind = "RESULT" /\ m.word \in Words => journal = m.word
\* The journal and the mailbox say the same.
JournalIsTrue == (copies > 0) <=> (journal = "delivered")
\* DE-044: nothing is written under an epoch that is not the greatest.
OnlyTheOwnerWrites ==
  [][\A u \in underway : copies' > copies /\ u \notin underway' => u[2] = epoch]_vars
\* With tries left, the sender gets its word.
Settles == <>[](~custody \/ tries = MaxTries)
=============================================================================
