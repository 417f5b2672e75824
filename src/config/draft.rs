//! A job with its defaults merged in, before its values are looked at.

use std::collections::BTreeMap;

use super::error::{Position, Problem, Report};
use super::jobs::Maker;
use super::read::{At, Key};
use super::tree::{Node, Tree};
use super::value::Subtree;
use super::words::ReturnTypeWord;
use super::{kwargs, raw, retry, unsupported};
use crate::domain::json::Json;

/// One job while it is being made.
pub(super) struct Draft<'t> {
    pub(super) raw: raw::Job,
    pub(super) at: Position,
    /// `jobs.nightly`, or `jobs[3]` where it has no name.
    pub(super) path: String,
    pub(super) kwargs: Json,
    /// Where kwargs are written, the job's own first: to find a template by its path.
    pub(super) kwargs_nodes: Vec<(Node<'t>, bool)>,
    pub(super) labels: BTreeMap<String, String>,
}

impl Draft<'_> {
    /// The path of one of its keys, which may have come from `defaults`.
    pub(super) fn path(&self, key: &str, in_defaults: bool) -> String {
        if in_defaults {
            format!("defaults.{key}")
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn error(&self, report: &mut Report, at: Position, key: &str, problem: Problem) {
        report.error(at, self.path(key, at.in_defaults), problem);
    }
}

impl<'a> Maker<'a> {
    /// Merges the defaults in and reads the kwargs. `None` where those could not be read.
    pub(super) fn draft(
        &mut self,
        mut raw: raw::Job,
        at: Position,
        path: String,
    ) -> Option<Draft<'a>> {
        unsupported::in_job(&mut raw, &path, self.report);
        unfold(
            &mut raw.funcBody,
            &mut raw.kwargs,
            &mut raw.return_type,
            &path,
            self.report,
        );
        let (own_kwargs, own_labels) = (raw.kwargs.clone(), raw.labels.clone());
        if let (Key::Given(own), Key::Given(theirs)) = (&mut raw.retry, &self.defaults.retry) {
            retry::inherit(&mut own.value, &theirs.value);
        }
        if let (Key::Given(own), Key::Given(theirs)) = (&mut raw.dst, &self.defaults.dst) {
            own.value.gap.inherit(&theirs.value.gap);
            own.value.overlap.inherit(&theirs.value.overlap);
        }
        raw.inherit(&self.defaults);
        let mut draft = Draft {
            raw,
            at,
            path,
            kwargs: Json::Object(Vec::new()),
            kwargs_nodes: Vec::new(),
            labels: BTreeMap::new(),
        };
        let own = self.kwargs(&mut draft, &own_kwargs, false);
        let defaults = self.defaults.kwargs.clone();
        let theirs = self.kwargs(&mut draft, &defaults, true);
        draft.kwargs = kwargs::merge(own?, theirs?);
        for labels in [&self.defaults.labels, &own_labels] {
            for (name, value) in labels.value().iter().flat_map(|labels| &labels.0) {
                if let Some(value) = value.value() {
                    draft.labels.insert(name.value.clone(), value.clone());
                }
            }
        }
        Some(draft)
    }

    fn kwargs(
        &mut self,
        draft: &mut Draft<'a>,
        key: &Key<Subtree>,
        in_defaults: bool,
    ) -> Option<Json> {
        let Some(At { value, .. }) = key.given() else {
            return Some(Json::Object(Vec::new()));
        };
        let trees: &'a [Option<Tree>] = self.trees;
        let node = trees.get(usize::from(value.file))?.as_ref()?.node(value.id);
        draft.kwargs_nodes.push((node, in_defaults));
        kwargs::read(node, &draft.path("kwargs", in_defaults), self.report)
    }
}

/// Moves what stands in `funcBody` to the keys it stands for.
pub(super) fn unfold(
    func_body: &mut Key<raw::FuncBody>,
    kwargs: &mut Key<Subtree>,
    return_type: &mut Key<ReturnTypeWord>,
    path: &str,
    report: &mut Report,
) {
    let Key::Given(At { value: body, .. }) = std::mem::take(func_body) else {
        return;
    };
    let options = match body.options {
        Key::Given(At { value, .. }) => value.returnType,
        Key::Absent | Key::Bad => Key::Absent,
    };
    take_over(
        kwargs,
        body.kwargs,
        &format!("{path}.funcBody.kwargs"),
        report,
    );
    take_over(
        return_type,
        options,
        &format!("{path}.funcBody.options.returnType"),
        report,
    );
}

fn take_over<T>(key: &mut Key<T>, from: Key<T>, path: &str, report: &mut Report) {
    match (&*key, &from) {
        (Key::Absent, _) => *key = from,
        (_, Key::Given(At { at, .. })) => {
            let problem = Problem::new("is given outside of funcBody too");
            report.error(*at, path, problem.hint("keep one of the two"));
        }
        (_, Key::Absent | Key::Bad) => {}
    }
}
