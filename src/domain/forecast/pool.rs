//! What shares one limit: a workspace, or several that are called with the same key.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::Demand;
use crate::domain::secret::SecretRef;
use crate::domain::workspace::{Workspace, WorkspaceName};

/// Workspaces that share their limit.
///
/// Keys are told apart by origin and reference, since a forecast is made without secrets: two
/// references to one value count as two keys here, and as one in the daemon.
#[derive(Clone, Debug)]
pub(super) struct Pool<'a> {
    /// At least one, by name.
    pub(super) workspaces: Vec<&'a Workspace>,
    /// Calls that any minute may hold; `None` is no limit. Of several workspaces it is what they may
    /// call together; what one of them may call alone can be less ([`narrower`]).
    pub(super) limit: Option<NonZeroU32>,
    /// Its jobs, in their order.
    pub(super) jobs: Vec<&'a Demand<'a>>,
}

/// The pools of a configuration that have jobs, in the order of their first workspace's name.
pub(super) fn pools<'a>(
    jobs: &'a [Demand<'a>],
    workspaces: &'a BTreeMap<WorkspaceName, Workspace>,
) -> Vec<Pool<'a>> {
    let mut groups: Vec<Vec<&Workspace>> = Vec::new();
    let mut group_of: BTreeMap<&WorkspaceName, usize> = BTreeMap::new();
    for members in sharing(workspaces) {
        for workspace in &members {
            group_of.insert(&workspace.name, groups.len());
        }
        groups.push(members);
    }
    let mut jobs_of: Vec<Vec<&Demand<'_>>> = vec![Vec::new(); groups.len()];
    for job in jobs {
        if let Some(group) = group_of.get(job.workspace) {
            jobs_of[*group].push(job);
        }
    }
    let with_jobs = groups.into_iter().zip(jobs_of);
    let with_jobs = with_jobs.filter(|(_, jobs)| !jobs.is_empty());
    with_jobs
        .map(|(workspaces, jobs)| Pool {
            limit: limit(&workspaces),
            workspaces,
            jobs,
        })
        .collect()
}

/// The workspaces of these pools that alone may call less than their pool, each as a pool of itself:
/// those whose keys or whose own limit are fewer than what they share.
pub(super) fn narrower<'a>(pools: &[Pool<'a>]) -> Vec<Pool<'a>> {
    let shared = pools.iter().filter(|pool| pool.workspaces.len() > 1);
    let alone = shared.flat_map(|pool| {
        pool.workspaces.iter().map(|workspace| {
            let is_its = |job: &&&Demand<'_>| *job.workspace == workspace.name;
            let alone = Pool {
                limit: limit(&[*workspace]),
                workspaces: vec![*workspace],
                jobs: pool.jobs.iter().filter(is_its).copied().collect(),
            };
            (alone, pool.limit)
        })
    });
    let is_narrower = |alone: &Pool<'_>, together: Option<NonZeroU32>| {
        let limit = alone.limit.filter(|_| !alone.jobs.is_empty());
        limit.is_some_and(|limit| together.is_none_or(|together| limit < together))
    };
    alone
        .filter(|(alone, together)| is_narrower(alone, *together))
        .map(|(alone, _)| alone)
        .collect()
}

type Key<'a> = (&'a str, &'a SecretRef);

fn keys(workspace: &Workspace) -> impl Iterator<Item = Key<'_>> {
    let origin = workspace.origin();
    workspace.api_keys.iter().map(move |key| (origin, key))
}

/// The workspaces, together where a key leads from one to another.
fn sharing(workspaces: &BTreeMap<WorkspaceName, Workspace>) -> Vec<Vec<&Workspace>> {
    let mut groups: Vec<Vec<&Workspace>> = Vec::new();
    let mut group_of: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for workspace in workspaces.values() {
        let known = keys(workspace).filter_map(|key| group_of.get(&key).copied());
        let joined: BTreeSet<usize> = known.collect();
        let group = joined.first().copied().unwrap_or(groups.len());
        groups.resize_with(groups.len().max(group + 1), Vec::new);
        let others = joined.iter().skip(1);
        let moved: Vec<&Workspace> = others
            .flat_map(|at| std::mem::take(&mut groups[*at]))
            .collect();
        for member in moved.into_iter().chain([workspace]) {
            group_of.extend(keys(member).map(|key| (key, group)));
            groups[group].push(member);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn limit(workspaces: &[&Workspace]) -> Option<NonZeroU32> {
    let mut of_keys: BTreeMap<Key<'_>, Option<NonZeroU32>> = BTreeMap::new();
    for workspace in workspaces {
        for key in keys(workspace) {
            let limit = of_keys.entry(key).or_default();
            // As the daemon does: the tighter of two limits of one key holds.
            *limit = (*limit).into_iter().chain(workspace.quota.per_key).min();
        }
    }
    let by_keys = sum(of_keys.into_values());
    let by_workspaces = sum(workspaces.iter().map(|w| w.quota.per_workspace));
    by_keys.into_iter().chain(by_workspaces).min()
}

/// The sum; none where one of them is none, or there are none.
fn sum(limits: impl Iterator<Item = Option<NonZeroU32>>) -> Option<NonZeroU32> {
    let add = |a: NonZeroU32, b: NonZeroU32| Some(a.saturating_add(b.get()));
    limits.reduce(|a, b| add(a?, b?)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::tests::{Fixture, workspaces};

    #[test]
    fn the_limit_is_that_of_the_keys_together_or_of_the_workspace() {
        for (keys, per_key, per_workspace, limit) in [
            (&["A"][..], Some(20), Some(200), Some(20)),
            (&["A", "B", "C"], Some(20), Some(200), Some(60)),
            (&["A", "B", "C"], Some(100), Some(200), Some(200)),
            (&["A", "A"], Some(20), Some(200), Some(20)),
            (&["A"], None, Some(200), Some(200)),
            (&["A"], None, None, None),
        ] {
            let workspaces = workspaces(&[("prod", keys, per_key, per_workspace)]);
            let jobs = [Fixture::new("a", "@hourly")];
            let jobs = jobs.each_ref().map(Fixture::demand);
            let pools = pools(&jobs, &workspaces);
            assert_eq!(pools.len(), 1);
            assert_eq!(pools[0].limit, limit.and_then(NonZeroU32::new), "{keys:?}");
        }
    }

    #[test]
    fn who_may_call_less_alone_than_with_others_is_looked_at_alone_too() {
        let workspaces = workspaces(&[
            ("a", &["X"], Some(20), Some(200)),
            ("b", &["X", "Y"], Some(20), Some(200)),
            ("c", &["Y", "Z"], Some(20), Some(10)),
            ("idle", &["Z"], Some(20), Some(5)),
        ]);
        let jobs = [("one", "a"), ("two", "b"), ("three", "c"), ("four", "a")]
            .map(|(job, workspace)| Fixture::new(job, "@hourly").of(workspace));
        let jobs = jobs.each_ref().map(Fixture::demand);
        let pools = pools(&jobs, &workspaces);
        assert_eq!(pools[0].limit.map(NonZeroU32::get), Some(60));
        let told: Vec<_> = narrower(&pools)
            .iter()
            .map(|pool| {
                let limit = pool.limit.map(NonZeroU32::get);
                (pool.workspaces[0].name.to_string(), limit, pool.jobs.len())
            })
            .collect();
        let expected = [("a", 20, 2), ("b", 40, 1), ("c", 10, 1)];
        assert_eq!(
            told,
            expected.map(|(name, limit, jobs)| (name.to_owned(), Some(limit), jobs))
        );
    }

    #[test]
    fn workspaces_with_the_same_key_share_its_limit_and_others_do_not() {
        let workspaces = workspaces(&[
            ("a", &["X"], Some(20), Some(200)),
            ("b", &["Y"], Some(20), Some(200)),
            ("c", &["Z", "X"], Some(10), Some(200)),
            ("d", &["Z"], Some(20), Some(200)),
            ("e", &["W"], Some(20), Some(200)),
        ]);
        let jobs = [
            Fixture::new("one", "@hourly").of("a"),
            Fixture::new("two", "@hourly").of("b"),
            Fixture::new("three", "@hourly").of("c"),
        ];
        let jobs = jobs.each_ref().map(Fixture::demand);
        let told: Vec<_> = pools(&jobs, &workspaces)
            .iter()
            .map(|pool| {
                let names = pool.workspaces.iter().map(|w| w.name.to_string());
                let limit = pool.limit.map(NonZeroU32::get);
                (names.collect::<Vec<_>>().join("+"), limit, pool.jobs.len())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("a+c+d".to_owned(), Some(20), 2),
                ("b".to_owned(), Some(20), 1)
            ]
        );
    }
}
