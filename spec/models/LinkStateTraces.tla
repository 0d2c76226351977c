-------------------------- MODULE LinkStateTraces --------------------------
(* Written by tests/linkstate/traces.rs: what members stored, in order.    *)
EXTENDS Sequences

AFailureSpreads == <<
  [member |-> 1, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 3, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 2, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 1, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}],
  [member |-> 2, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}],
  [member |-> 3, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}]
>>

TheOriginBoots == <<
  [member |-> 1, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 3, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 2, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 1, down |-> {1}]}],
  [member |-> 1, boots |-> TRUE, records |-> {}],
  [member |-> 1, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}],
  [member |-> 2, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}],
  [member |-> 3, boots |-> FALSE, records |-> {[group |-> 1, minor |-> 2, down |-> {}]}]
>>
=============================================================================
