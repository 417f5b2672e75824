//! Did you mean …: the name that a misspelt one was most likely meant to be.

/// The known name nearest to `name`, where one is near enough to be worth suggesting: at most a
/// third of its letters wrong, and no more than three. Capitals, and what stands between words, are
/// not letters.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long name is no slip of the finger, and the distance is quadratic.
    const LONGEST: usize = 64;
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let folded = fold(name);
    let reach = (folded.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &fold(candidate));
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= reach && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["scheduled_at", "run_id", "attempt"];
        assert_eq!(nearest("schedule_at", known), Some("scheduled_at"));
        assert_eq!(nearest("Atempt", known), Some("attempt"));
        assert_eq!(nearest("now", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
    }
}
