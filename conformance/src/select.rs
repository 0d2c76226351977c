//! Chooses cases by globs on their dotted ids: `*` is one part, `**` any number of them.

use globset::{GlobBuilder, GlobMatcher};

/// Why nothing can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectError {
    /// The pattern is no glob.
    Bad(String),
    /// The pattern matches no case.
    Unmatched(String),
}

/// A glob on dotted ids.
pub(crate) fn glob(pattern: &str) -> Result<GlobMatcher, SelectError> {
    let bad = |problem: &str| SelectError::Bad(format!("`{pattern}`: {problem}"));
    if pattern.is_empty() || pattern.contains('/') {
        return Err(bad("expected dotted parts, such as `smtp.data.*`"));
    }
    GlobBuilder::new(&pattern.replace('.', "/"))
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| bad(&error.to_string()))
}

/// Whether a pattern matches an id.
pub(crate) fn matches(glob: &GlobMatcher, id: &str) -> bool {
    glob.is_match(id.replace('.', "/"))
}

/// The places of the ids that `only` chooses (all, if it is empty) and `skip` does not take away. Every
/// pattern must match something: a pattern that matches nothing is a mistake, not an empty wish.
pub(crate) fn select(
    ids: &[&str],
    only: &[String],
    skip: &[String],
) -> Result<Vec<usize>, SelectError> {
    let hits = |patterns: &[String]| -> Result<Vec<bool>, SelectError> {
        let mut hit = vec![false; ids.len()];
        for pattern in patterns {
            let glob = glob(pattern)?;
            let mut some = false;
            for (place, id) in ids.iter().enumerate() {
                if matches(&glob, id) {
                    hit[place] = true;
                    some = true;
                }
            }
            if !some {
                return Err(SelectError::Unmatched(pattern.clone()));
            }
        }
        Ok(hit)
    };
    let only_hit = hits(only)?;
    let skip_hit = hits(skip)?;
    let chosen = |place: &usize| (only.is_empty() || only_hit[*place]) && !skip_hit[*place];
    Ok((0..ids.len()).filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::{SelectError, select};

    const IDS: [&str; 3] = ["smtp.data.plain.01", "smtp.rset.01", "submit.offer.plain.01"];

    fn chosen(only: &[&str], skip: &[&str]) -> Result<Vec<usize>, SelectError> {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        select(&IDS, &own(only), &own(skip))
    }

    #[test]
    fn a_star_is_one_part_and_two_are_many() {
        assert_eq!(chosen(&[], &[]), Ok(vec![0, 1, 2]));
        assert_eq!(chosen(&["smtp.*.01"], &[]), Ok(vec![1]));
        assert_eq!(chosen(&["smtp.**"], &[]), Ok(vec![0, 1]));
        assert_eq!(chosen(&["**"], &["**.plain.*"]), Ok(vec![1]));
        assert_eq!(chosen(&["smtp.rset.01", "submit.**"], &[]), Ok(vec![1, 2]));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_a_mistake() {
        let unmatched = |pattern: &str| Err(SelectError::Unmatched(pattern.to_owned()));
        assert_eq!(chosen(&["smtp.**", "smpt.**"], &[]), unmatched("smpt.**"));
        assert_eq!(chosen(&[], &["x"]), unmatched("x"));
        assert!(matches!(chosen(&["a/b"], &[]), Err(SelectError::Bad(_))));
    }
}
