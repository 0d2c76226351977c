//! Members that are too busy to take news.

use bridgehead::protocol::member::{Endpoint, Security};

use crate::members::{chunks_of_news, member_that_we_call, news};
use crate::offer::json;
use crate::stage::Stage;

/// LS-100: before the connection can be used, it counts as refused.
#[test]
fn a_busy_member_counts_as_refusing() {
    for transcript in ["S: 421 4.3.2 busy", "S: 450 busy", "S: 220 hi\nC: EHLO rg1-a\nS: 450 busy"]
    {
        let mut stage = Stage::open(Security::Address, Endpoint::Member("rg2-a".into()));
        stage.play(&format!("{transcript}\n. close\nM> link Refused"));
    }
}

/// LS-100: a member that cannot take the news now is busy; it has broken nothing, and the connection is over.
#[test]
fn a_member_may_be_too_busy_for_news() {
    let [first, last] = chunks_of_news();
    let replies = [("451 4.3.2 later", "X-LINK2STATE: 451 later"), ("421 4.3.2 busy", "busy")];
    let chunks = [format!("C: {first}"), format!("C: {first}\nS: 200 NEXT\nC: {last}")];
    for ((reply, told), chunks) in replies.iter().flat_map(|r| chunks.iter().map(move |c| (r, c))) {
        let mut stage = member_that_we_call();
        stage.show_events = true;
        stage.play(&format!(
            "M< {}\n{chunks}\nS: {reply}\nE: SUBMIT refused: {told}\n. close\nE: SUBMIT closed\nM> link Lost",
            json(&news())
        ));
    }
    // Another reply that does not fit is still a breach.
    let mut stage = member_that_we_call();
    stage.show_events = true;
    stage.play(&format!(
        "M< {}\nC: {first}\nS: 250 what\nE: SUBMIT expected 200 NEXT, got `250 what`\n. close\nE: SUBMIT closed\nM> link Lost",
        json(&news())
    ));
}
