//! The switches of the planted bugs. Without the feature `planted-faults` every one is off for ever;
//! with it, one is on only when the run names it.

use alloc::collections::BTreeSet;
use alloc::string::String;

/// The faults that a run has named. The list of names that exist is [`NAMES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    named: BTreeSet<String>,
}

/// Every planted bug, and what it does wrong. The name is what `--fault` takes.
pub const NAMES: &[(&str, &str)] = &[
    ("reply-before-durable", "says 250 before the message is on disk"),
    ("fallback-while-in-doubt", "gives an in-doubt transfer to another member without RESOLVE"),
    ("reroute-while-in-doubt", "reroutes an in-doubt message when its connector goes down"),
    ("skip-journal-on-acceptance", "accepts a hand-over without recording its id"),
    ("commit-refused-means-refused", "takes a refusal of COMMIT for the end of the transfer"),
    ("bounce-while-in-doubt", "returns recipients in doubt when their time is over"),
    ("expiry-at-49h", "returns mail one hour late"),
    ("no-delay-notice", "never tells a sender that a message is late"),
    ("retry-ignores-schedule", "tries again every minute"),
    ("dsn-about-null-sender", "writes a notice about a message from the null sender"),
    ("resolve-without-fence", "answers RESOLVE with a fence that it does not keep"),
    ("status-fences", "lets STATUS fence a transfer that is still arriving"),
    ("second-deposit-on-repeat", "delivers again when a delivery is repeated"),
    ("renumber-index", "numbers the recipients of each hop from zero"),
    ("rules-outside-the-commit", "stores what rules pass on by a change of its own"),
    ("release-without-exceptions", "says that transfers are over of which it may speak again"),
    ("resubmits-what-it-accepted", "has others queue what it was given to queue"),
    ("released-is-new", "accepts a transfer that its sender has said is over"),
    ("success-told-twice", "tells of a success although the outside server took over that duty"),
    (
        "confirmed-before-removal",
        "queues the word of success first and removes the recipient later",
    ),
    (
        "returned-before-removal",
        "queues the notice of a failure first and removes the recipient later",
    ),
    ("lost-result-is-success", "takes a lost result of DELIVER for a delivery"),
    ("hold-not-stored", "confirms a hold that it keeps in memory only"),
    ("order-ignores-doubt", "returns or removes recipients in doubt when the operator orders it"),
    ("journal-left-behind", "opens an account without the journal that came with it"),
    ("suspended-takes-mail", "delivers into an account that takes no mail"),
    ("quota-not-checked", "delivers into an account without room"),
    ("forgotten-is-unknown", "says that nothing is recorded of what its journal has dropped"),
    ("journal-dropped-early", "drops what its journal has after a day"),
    ("room-is-not-reserved", "gives the same room of an account to two deliveries"),
    ("journal-without-the-sender", "keys the delivery journal by ids without the member of them"),
    ("epoch-not-checked", "records a delivery into an account that it has lost"),
    ("result-before-publish", "says delivered before the file is in its place"),
    ("digest-not-compared", "takes another content under an accepted transfer id for a repeat"),
    ("release-ignores-exceptions", "forgets the transfers that RELEASE excepts"),
    ("released-is-offered-again", "lets a transfer be offered that its sender has said is over"),
    ("rolled-back-is-believed", "takes RELEASE from a disk that was rolled back"),
    ("replaced-disk-is-believed", "takes RELEASE from a disk that was replaced since"),
    ("conflict-is-tried-again", "offers again what the far end knows with another content"),
    ("unknown-means-refused", "takes the answer that a transfer is unknown for a fence"),
    ("done-means-accepted", "takes DONE for the custody of the far end"),
    (
        "rolled-back-store-is-kept",
        "keeps its store id when it is told that its disk was rolled back",
    ),
    ("suspect-mark-is-lost", "hands suspects on without their mark"),
    ("orcpt-is-dropped", "hands recipients on without ORCPT"),
    ("hand-over-is-success", "tells of a success when it has only handed over"),
    ("results-by-index", "tells the results of a delivery in the order of the indexes"),
    ("older-connection-lives", "listens on, on a delivery connection that a newer one replaced"),
    ("other-content-is-a-repeat", "answers a delivery with another content like a repeat"),
    ("delivers-without-asking", "delivers again without asking when a result was lost"),
    ("any-result-counts", "takes the result of one recipient for that of another"),
    ("refusal-of-nobody-counts", "returns a message for a refusal that names no recipient"),
    ("notice-told-twice", "queues the notice of a failure twice"),
    ("notice-returns-all", "returns the whole message whatever the sender asked for"),
    ("certificate-name-not-checked", "believes a client with any good certificate what EHLO says"),
    ("hello-name-not-checked", "lets a member say hello with the name of another"),
    ("goes-on-without-starttls", "talks to a member in clear when it offers no STARTTLS"),
    ("clear-text-survives-starttls", "keeps what came in clear behind STARTTLS"),
    ("auth-in-clear", "offers and takes logins before STARTTLS"),
    ("mail-without-login", "takes mail on a submission port from who has not logged in"),
    ("any-sender-behind-login", "lets who has logged in send from any address"),
    ("login-ends-with-mail", "forgets a login once a mail is taken"),
    ("failed-logins-not-counted", "lets a client guess at passwords for ever"),
    ("refusal-tells-names", "refuses a login otherwise where there is no such account"),
    ("asterisk-asks-again", "goes on with an authentication that the client has ended"),
    ("members-on-submission-port", "takes clients of a submission port for members"),
    ("submitted-as-it-is", "adds no Date and no Message-ID to submitted mail"),
    ("attachment-is-published", "publishes a new record whenever a member attaches or detaches"),
    ("first-term-outbids", "begins as a master that knows nothing with a term that may win"),
    ("records-appoint-nobody", "outbids a master whom the operator has put in its place"),
    ("nobody-reminds", "leaves a master by appointment that has lost its disk without a word"),
    ("appointment-in-memory", "forgets with a restart whom the operator has made the master"),
    ("old-appointment-obeyed", "obeys an appointment that a greater one has replaced"),
    ("outbids-for-ever", "outbids another master of the same revision without a limit"),
    ("never-refreshes", "does not publish a record again that has not changed"),
    ("unknown-is-up", "reports a connector UP of which it knows nothing"),
    ("silence-is-kept", "waits for ever for an answer on the group port"),
    ("stale-merge", "takes the record that came last, however old it is"),
    ("whole-table-flood", "tells its whole table whenever one record grows"),
    ("tombstone-ignored", "keeps records of groups that the operator has buried"),
    ("routes-by-private-knowledge", "routes around a connector that it alone knows to be broken"),
    ("news-after-mail", "offers mail on a new connection first, and tells the news behind it"),
    ("news-when-idle", "tells its news when no mail stands in line any more"),
    ("routes-by-a-smaller-table", "routes at once what a greater table has routed before"),
    ("nobody-forwards", "tells nobody what others have told it"),
    ("resumes-one-octet-early", "goes on with a body one octet before the offset that it was told"),
    ("retry-at-59s", "begins the glitch retries a second early"),
    ("down-on-a-cut-edge", "reports a connector DOWN that is the only way"),
    ("new-master-asks-nobody", "publishes under a new term what its own table has, however old"),
    ("every-source-tells", "tells over a connector at once whoever else carries it"),
    ("dead-source-is-available", "names no source as not available that has been away for long"),
    ("minority-names-absent", "takes the others for absent when it is cut off from them itself"),
    ("never-backs-up", "leaves news to the first source of a connector for ever"),
    ("schedule-ignored", "sends mail over a connector outside its hours"),
    ("hours-end-with-the-day", "takes hours that go past midnight for two pieces of one day"),
    ("hours-cut-off", "says no COMMIT when the hours have ended behind OFFER"),
    ("doubt-waits-for-hours", "asks for what is in doubt within the hours only"),
    ("settings-not-checked", "starts with a configuration that it must refuse"),
    ("tombstones-without-limit", "merges tombstones when its table is full of them"),
    ("burial-not-checked", "buries a group that its configuration still has"),
    ("limits-not-counted", "counts nothing of what a client address takes"),
    ("members-are-limited", "counts what members take like what clients take"),
    ("everybody-is-attached", "shows members as attached that are not"),
    ("no-way-is-for-ever", "never tries mail again for which there was no way once"),
    ("votes-right-after-boot", "votes although it may have promised its vote before its boot"),
    ("grants-before-durable", "grants a round before its term is on disk"),
    ("lease-from-the-answer", "counts its lease from when a majority has granted it"),
    ("two-promises", "grants a round although it has promised its vote to another member"),
    ("grants-smaller-terms", "grants a round of a smaller term than it knows"),
    ("no-poll", "begins a term without asking whether anybody would grant it"),
    ("resigns-before-it-stops", "says that it hands over, and is the master until its lease ends"),
    ("resigned-round-counts", "hands over, and counts the answers to its last round all the same"),
    ("obeys-any-term", "obeys a master under a smaller term than it knows"),
    ("any-list-is-taken", "takes every list of members that its master tells, however old"),
    ("list-is-not-stored", "keeps the list of members in memory only"),
    ("list-is-not-heeded", "has a member queue its mail that drains or is away by the list"),
    ("nobody-is-away", "lists members as there that it has not heard for long"),
    ("heartbeats-without-end", "says heartbeats for ever to a master that closes at them"),
    ("features-unasked", "says what belongs to a feature that not everybody has"),
    ("drains-and-leads", "stays the master when it is ordered to drain"),
    ("lease-survives-a-boot", "is the master after a boot because it was before"),
    ("grants-older-seats", "grants a round whose seats are older than its own"),
    ("two-seats-at-once", "makes the seats the voters of the file by one change"),
    ("seats-not-stored", "keeps the seats that masters have written in memory only"),
    (
        "majority-of-the-file",
        "counts more than half of the file's voters as a majority of the seats",
    ),
    ("heeds-no-holder", "takes the mastership in the store from the member that holds it"),
    ("term-is-not-greater", "begins a term in the store whose counter another one has had"),
    ("store-compares-nothing", "writes to the store whatever it has meanwhile"),
    ("store-takes-any-epoch", "writes to a leased account under a smaller epoch than was seen"),
    ("store-compares-numbers", "compares the epochs of leases without their terms"),
    ("new-master-grants-at-once", "leases accounts before what another master leased is over"),
    ("numbers-begin-anew", "counts its grants anew when its lease under a term begins again"),
    ("answers-any-lease", "leases accounts to members that count by another lease than it does"),
    ("grants-what-it-keeps", "leases an account that it keeps for another member"),
    ("account-lease-from-the-answer", "counts its lease of an account from the answer"),
    ("late-lease-counts", "takes the answer to any request for a lease of an account"),
    ("returns-before-it-closes", "gives an account back and has it until its lease ends"),
    ("drains-and-keeps", "keeps its leased accounts when it is ordered to drain"),
    ("keeps-what-is-released", "keeps a leased account that it is ordered to give back"),
    ("believes-what-was-freed", "believes a member that names an epoch that an operator has freed"),
    ("asks-any-master", "asks a master for accounts that has not said that it leases any"),
    ("unknown-of-any-account", "says that nothing is recorded of an account that it has not"),
    ("files-without-opening", "writes a delivery under the same name whoever has the account"),
    ("no-record-is-a-refusal", "takes a lost answer of the shared store for a refusal"),
    (
        "shared-journal-overwritten",
        "records a delivery in the shared store that is recorded already",
    ),
    ("terms-not-stored", "forgets with a kill which terms it has granted, begun or obeyed"),
    ("spans-not-stored", "forgets with a kill for how long it has promised its vote"),
    ("promises-for-its-own-span", "promises its vote for its own span whatever a round asks for"),
    ("polls-are-kept", "takes the term of a poll for one that somebody has"),
    ("any-resignation-frees", "takes any RESIGN for the end of the term that it has granted"),
    ("stands-out-of-turn", "polls without waiting for its place in the order of the voters"),
    ("waits-a-lease-again", "waits a lease after the first poll without an answer"),
    ("late-answers-count", "counts answers to polls and rounds that are over"),
    ("leads-once", "tells its members that it leads when its lease begins, and never again"),
    ("leads-voters-only", "tells nobody but the voters that it leads"),
    ("lease-without-drift", "counts its lease as if all clocks agreed"),
    ("greater-terms-ignored", "is the master although it is refused with a greater term"),
    ("publishes-without-a-lease", "publishes and answers reports when its lease has ended"),
    ("follows-the-first", "stays attached to the first master that it has obeyed"),
    ("everybody-convenes", "lets members convene in whose election it has no part"),
    ("convened-may-say-anything", "ignores what is no word of an election instead of closing"),
    ("probe-only-with-mail", "probes a connector that is DOWN only while mail waits for it"),
];

impl Faults {
    /// No fault at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { named: BTreeSet::new() }
    }

    /// The faults of these names.
    ///
    /// # Errors
    /// The first name that does not exist, or any name when the feature is off.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut named = BTreeSet::new();
        for name in names {
            let exists = NAMES.iter().any(|(known, _)| *known == name);
            if !exists || cfg!(not(feature = "planted-faults")) {
                return Err(String::from(name));
            }
            named.insert(String::from(name));
        }
        Ok(Self { named })
    }

    /// Whether the fault is on.
    #[must_use]
    pub fn is_on(&self, name: &'static str) -> bool {
        debug_assert!(NAMES.iter().any(|(known, _)| *known == name), "a fault is listed");
        cfg!(feature = "planted-faults") && self.named.contains(name)
    }
}
