//! What is made of many measured values.

/// How long after their second calls arrived that came at these instants (µs since the epoch): in ms,
/// ascending.
pub(crate) fn lateness(arrivals: &[i64]) -> Vec<f64> {
    ascending(arrivals.iter().map(|at| (at % 1_000_000) as f64 / 1e3))
}

/// In order.
pub(crate) fn ascending(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value that so large a part of them, which ascend and are some, is not above.
pub(crate) fn quantile(ascending: &[f64], part: f64) -> f64 {
    ascending[((ascending.len() - 1) as f64 * part) as usize]
}

/// The middle one of some, in whatever order.
pub(crate) fn median(values: &[f64]) -> f64 {
    ascending(values.iter().copied())[values.len() / 2]
}
