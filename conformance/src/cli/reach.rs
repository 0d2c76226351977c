//! Which cases a run can reach: a foreign server is only known as far as somebody has described it.

use core::fmt;

use crate::case::{Case, SUBMISSION};
use crate::net::Port;
use crate::parameters::Parameters;
use crate::stage::UnderTest;

/// Cases that were chosen and cannot be run, by what would bring them within reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OutOfReach(Vec<(&'static str, usize)>);

impl OutOfReach {
    /// How many cases.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|(_, cases)| cases).sum()
    }

    fn add(&mut self, lack: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == lack) {
            Some((_, cases)) => *cases += 1,
            None => self.0.push((lack, 1)),
        }
    }
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (lack, cases)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} without {lack}", super::count(*cases))?;
        }
        Ok(())
    }
}

/// The cases that can be run, and what the others lack.
pub(super) fn within<'a>(
    chosen: Vec<&'a Case>,
    under_test: &UnderTest,
    parameters: &Parameters,
) -> (Vec<&'a Case>, OutOfReach) {
    let mut out_of_reach = OutOfReach::default();
    let within = chosen.into_iter().filter(|case| match lack(case, under_test, parameters) {
        Some(lack) => {
            out_of_reach.add(lack);
            false
        }
        None => true,
    });
    let within = within.collect();
    (within, out_of_reach)
}

/// What would have to be there.
fn lack(case: &Case, under_test: &UnderTest, parameters: &Parameters) -> Option<&'static str> {
    let UnderTest::Target(target) = under_test else { return None };
    if !case.is_for_any_server() {
        return Some("an adapter");
    }
    match case.login_port() {
        Some(Port::Submissions) if target.port(Port::Submissions).is_none() => {
            return Some("`submissions` in the file of --target");
        }
        Some(port) if target.port(port).is_none() => {
            return Some("`submission` in the file of --target");
        }
        _ => {}
    }
    if case.profile == SUBMISSION && parameters.login.is_none() {
        return Some("a [login] in the file of --target");
    }
    if case.uses_mailbox() && parameters.mailbox().is_none() {
        return Some("a --recipient with a domain");
    }
    (case.uses_unknown_recipient() && parameters.unknown.is_none()).then_some("--unknown")
}
