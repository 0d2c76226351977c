//! Chooses cases by globs on their dotted ids: `*` is one part, `**` any number of them.

/// Why nothing can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectError {
    /// The pattern is no glob.
    Bad(String),
    /// The pattern matches no case.
    Unmatched(String),
}

/// A glob on dotted ids, part by part.
struct Glob<'a> {
    parts: Vec<&'a str>,
}

impl<'a> Glob<'a> {
    fn new(pattern: &'a str) -> Result<Self, SelectError> {
        let bad = |problem: &str| Err(SelectError::Bad(format!("`{pattern}`: {problem}")));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*');
        if pattern.is_empty() || !pattern.chars().all(plain) {
            return bad("expected dotted parts, such as `smtp.data.*`");
        }
        Ok(Self { parts: pattern.split('.').collect() })
    }

    fn matches(&self, id: &str) -> bool {
        let id: Vec<&str> = id.split('.').collect();
        parts_match(&self.parts, &id)
    }
}

fn parts_match(pattern: &[&str], id: &[&str]) -> bool {
    match (pattern.split_first(), id.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=id.len()).any(|skipped| parts_match(rest, &id[skipped..])),
        (Some((part, pattern)), Some((first, id))) => {
            part_matches(part, first) && parts_match(pattern, id)
        }
        _ => false,
    }
}

/// Within one part, `*` stands for any characters.
fn part_matches(pattern: &str, part: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == part };
    let Some(tail) = part.strip_prefix(head) else { return false };
    let ends = tail.char_indices().map(|(end, _)| end).chain([tail.len()]);
    ends.into_iter().any(|skipped| part_matches(rest, &tail[skipped..]))
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
            let glob = Glob::new(pattern)?;
            let mut some = false;
            for (place, id) in ids.iter().enumerate() {
                if glob.matches(id) {
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
        assert_eq!(chosen(&["s*t.*.pl*n.0*"], &[]), Ok(vec![2]));
        assert_eq!(chosen(&["**.01"], &["submit.**.offer.**"]), Ok(vec![0, 1]));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_a_mistake() {
        let unmatched = |pattern: &str| Err(SelectError::Unmatched(pattern.to_owned()));
        assert_eq!(chosen(&["smtp.**", "smpt.**"], &[]), unmatched("smpt.**"));
        assert_eq!(chosen(&[], &["x"]), unmatched("x"));
        assert_eq!(chosen(&["smtp.*"], &[]), unmatched("smtp.*"));
        for bad in ["", "a/b", "smtp.{data,rset}.**", "smtp.?set.01"] {
            assert!(matches!(chosen(&[bad], &[]), Err(SelectError::Bad(_))), "{bad}");
        }
    }
}
