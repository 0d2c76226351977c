//! What a case, and what a whole run, came to.

use serde::{Deserialize, Serialize};

/// What a case came to. Only `Pass` is a pass; a skip is never green unless the profile excludes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Every declared check held.
    Pass,
    /// A declared check did not hold, or was not reached.
    Fail,
    /// The implementation does not claim the profile.
    NotApplicable,
    /// The profile is claimed, or no profile is known, and the case could not be exercised; or its checks
    /// hold and those of its positive twin do not.
    CouldNotRun,
    /// The suite contradicts itself: a check that was never declared, a twin that is not there.
    SuiteError,
}

impl Verdict {
    /// Every verdict, in the order of tables.
    pub(crate) const ALL: [Self; 5] =
        [Self::Pass, Self::Fail, Self::NotApplicable, Self::CouldNotRun, Self::SuiteError];

    /// As reports print it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not-applicable",
            Self::CouldNotRun => "could-not-run",
            Self::SuiteError => "suite-error",
        }
    }
}

/// How binding the sentences are that a case verifies.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// A failure is non-conformance.
    Must,
    /// A failure is reported; it is non-conformance under `--strict` only.
    Should,
}

impl Level {
    /// As reports print it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }
}

/// The exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// Everything that was selected and applies holds.
    Conformant,
    /// A case failed.
    NonConformant,
    /// The command line, or a file that it names, is wrong.
    Usage,
    /// Nothing failed, but something could not run.
    Incomplete,
    /// Nothing is selected, or a pattern matches nothing.
    NothingSelected,
    /// The target or the adapter is dead, refuses, or lies.
    Unusable,
    /// The suite itself is wrong.
    SuiteBug,
    /// It would have been conformant, but what the command had to print could not be written.
    Unprinted,
    /// The run was interrupted; the report is valid as far as it goes.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Conformant => 0,
            Self::NonConformant => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::NothingSelected => 4,
            Self::Unusable => 5,
            Self::SuiteBug => 70,
            Self::Unprinted => 74,
            Self::Interrupted => 130,
        }
    }

    /// What a run comes to, by the precedence 130, 70, 5, 1, 3, 0.
    pub(crate) fn of_run(
        results: impl IntoIterator<Item = (Verdict, Level)>,
        strict: bool,
        unusable: bool,
        interrupted: bool,
    ) -> Self {
        let mut failed = false;
        let mut incomplete = false;
        let mut bug = false;
        for (verdict, level) in results {
            match verdict {
                Verdict::Pass | Verdict::NotApplicable => {}
                Verdict::Fail => failed |= strict || level == Level::Must,
                Verdict::CouldNotRun => incomplete = true,
                Verdict::SuiteError => bug = true,
            }
        }
        match (interrupted, bug, unusable, failed, incomplete) {
            (true, ..) => Self::Interrupted,
            (_, true, ..) => Self::SuiteBug,
            (_, _, true, ..) => Self::Unusable,
            (_, _, _, true, _) => Self::NonConformant,
            (.., true) => Self::Incomplete,
            _ => Self::Conformant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Level, Verdict};

    #[test]
    fn the_worst_thing_that_happened_decides_the_exit_code() {
        let must = |verdict| (verdict, Level::Must);
        let code = |results: &[(Verdict, Level)], unusable, interrupted| {
            Exit::of_run(results.iter().copied(), false, unusable, interrupted).code()
        };
        assert_eq!(code(&[must(Verdict::Pass), must(Verdict::NotApplicable)], false, false), 0);
        assert_eq!(code(&[must(Verdict::Fail), must(Verdict::CouldNotRun)], false, false), 1);
        assert_eq!(code(&[must(Verdict::Pass), must(Verdict::CouldNotRun)], false, false), 3);
        assert_eq!(code(&[must(Verdict::Fail)], true, false), 5);
        assert_eq!(code(&[must(Verdict::Fail), must(Verdict::SuiteError)], true, false), 70);
        assert_eq!(code(&[must(Verdict::SuiteError)], true, true), 130);
        assert_eq!(code(&[(Verdict::Fail, Level::Should)], false, false), 0);
        let strict = Exit::of_run([(Verdict::Fail, Level::Should)], true, false, false);
        assert_eq!(strict.code(), 1);
    }
}
