//! From the parser's events to a [`Tree`], within bounds.
//!
//! - A budget is charged for every node and byte *as it would be once aliases are expanded*, before
//!   anything grows: a bomb of either kind (exponential, or one long text aliased ten thousand
//!   times) is refused for the price of reading the file.
//! - What the parser itself may hold back is metered ([`MAX_LOOKAHEAD`]).
//! - Nesting, alias edges included, ends at [`MAX_DEPTH`].

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::str::Chars;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::error::{Position, Problem, Report, quoted};
use super::syntax;
use super::tree::{Kind, Node, NodeId, Shape, Slot, Tree};

/// Deepest nesting. A reply may have 128 levels; nobody writes kwargs that deep.
const MAX_DEPTH: u32 = 64;

/// What all files of a configuration may hold together, aliases expanded.
#[derive(Debug)]
pub(super) struct Budget {
    nodes: u64,
    bytes: u64,
}

impl Default for Budget {
    /// Two million values: 20 for each of 100,000 jobs.
    fn default() -> Self {
        Self {
            nodes: 2_000_000,
            bytes: 32 << 20,
        }
    }
}

impl Budget {
    fn charge(&mut self, weight: Weight) -> bool {
        let left = (
            self.nodes.checked_sub(weight.nodes),
            self.bytes.checked_sub(weight.bytes),
        );
        if let (Some(nodes), Some(bytes)) = left {
            (self.nodes, self.bytes) = (nodes, bytes);
            return true;
        }
        false
    }
}

/// What a node costs once its aliases are expanded.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    nodes: u64,
    bytes: u64,
    depth: u32,
}

impl Weight {
    fn add(&mut self, child: Self) {
        self.nodes = self.nodes.saturating_add(child.nodes);
        self.bytes = self.bytes.saturating_add(child.bytes);
        self.depth = self.depth.max(child.depth + 1);
    }
}

/// The other way, for counts which the budget bounds.
fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A list or map whose end has not been seen.
struct Open {
    is_map: bool,
    anchor: usize,
    at: Position,
    children: Vec<u32>,
    weight: Weight,
}

/// Most signs that the parser may read for one event. Until a bracket is closed it may turn out to
/// be a key, so the parser holds all tokens in it, at up to 400 bytes of memory a sign: 32 MiB of
/// `{a:,` are 8 GiB. What is written in blocks never comes near.
pub(super) const MAX_LOOKAHEAD: u32 = 300_000;

/// The text, which ends early once the parser has read too much of it for one event.
pub(super) struct Metered<'t> {
    pub(super) chars: Chars<'t>,
    pub(super) left: &'t Cell<u32>,
}

impl Iterator for Metered<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        // Between any two tokens in brackets stands one of these.
        if matches!(c, '[' | ']' | '{' | '}' | ',' | ':' | '?' | '&' | '*' | '!') {
            self.left.set(self.left.get().checked_sub(1)?);
        }
        Some(c)
    }
}

/// Reading cannot go on; it was reported.
struct Abort;

/// Parses a file's text; `None` where nothing can be made of it, which was then reported.
pub(super) fn tree(
    text: &str,
    file: u16,
    budget: &mut Budget,
    report: &mut Report,
) -> Option<Tree> {
    Builder::new(file, budget, report).build(text)
}

struct Builder<'r> {
    tree: Tree,
    open: Vec<Open>,
    anchors: HashMap<usize, (NodeId, Weight)>,
    documents: u32,
    budget: &'r mut Budget,
    report: &'r mut Report,
}

impl<'r> Builder<'r> {
    fn new(file: u16, budget: &'r mut Budget, report: &'r mut Report) -> Self {
        Self {
            tree: Tree {
                file,
                text: String::new(),
                slots: Vec::new(),
                children: Vec::new(),
                root: NodeId(0),
            },
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: 0,
            budget,
            report,
        }
    }

    fn build(mut self, text: &str) -> Option<Tree> {
        let left = Cell::new(0);
        let mut parser = Parser::new_from_iter(Metered {
            chars: text.chars(),
            left: &left,
        });
        let mut at = self.position(1, 1);
        loop {
            left.set(MAX_LOOKAHEAD);
            let Some(event) = parser.next_event() else {
                break;
            };
            let done = match event {
                _ if left.get() == 0 => Err(self.abort(
                    at,
                    Problem::new("too large for one bracket or one text").hint(
                        "write it as a block, one key or item a line, or share it out by `include`",
                    ),
                )),
                Ok((event, span)) => {
                    at = self.position(span.start.line().max(1), span.start.col() + 1);
                    self.take(event, at)
                }
                Err(error) => Err(self.explain(&error, text)),
            };
            done.ok()?;
        }
        if self.tree.slots.is_empty() {
            let at = self.position(1, 1);
            self.scalar("", ScalarStyle::Plain, 0, at).ok()?;
        }
        Some(self.tree)
    }

    fn position(&self, line: usize, column: usize) -> Position {
        Position {
            file: self.tree.file,
            line: short(line),
            column: short(column),
            in_defaults: false,
        }
    }

    fn explain(&mut self, error: &ScanError, text: &str) -> Abort {
        let marker = error.marker();
        let at = self.position(marker.line().max(1), marker.col() + 1);
        // Without a path: the scanner runs ahead of the events, and of what path() knows.
        let problem = syntax::explain(error.info(), text, marker.line());
        self.report.error(at, "", problem);
        Abort
    }

    fn abort(&mut self, at: Position, problem: Problem) -> Abort {
        self.report.error(at, self.path(), problem);
        Abort
    }

    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Abort> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.abort(
                        at,
                        Problem::new("a second document begins here")
                            .hint("keep one per file and name the others under `include`"),
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.scalar(&text, style, anchor, at)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.begin(false, anchor, at)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.begin(true, anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tagged: bool, at: Position) {
        if tagged {
            let problem = Problem::new("tags (`!…`) are not supported")
                .hint("remove it, or quote the value if the `!` belongs to it");
            self.report.error(at, self.path(), problem);
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        at: Position,
    ) -> Result<(), Abort> {
        let weight = Weight {
            nodes: 1,
            bytes: text.len() as u64,
            depth: 0,
        };
        self.charge(weight, at)?;
        let start = short(self.tree.text.len());
        self.tree.text.push_str(text);
        let shape = Shape::Scalar {
            start,
            len: short(text.len()),
            plain: style == ScalarStyle::Plain,
            quotes: match style {
                ScalarStyle::Plain => Some(false),
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(true),
                ScalarStyle::Literal | ScalarStyle::Folded => None,
            },
        };
        self.complete(shape, weight, anchor, at);
        Ok(())
    }

    fn begin(&mut self, is_map: bool, anchor: usize, at: Position) -> Result<(), Abort> {
        self.check_depth(0, at)?;
        let weight = Weight {
            nodes: 1,
            ..Weight::default()
        };
        self.charge(weight, at)?;
        self.open.push(Open {
            is_map,
            anchor,
            at,
            children: Vec::new(),
            weight,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Abort> {
        let Some(open) = self.open.last() else {
            return Ok(());
        };
        let mut faults = Vec::new();
        let start = short(self.tree.children.len());
        let children = if open.is_map {
            unique_and_merged(&self.tree, &open.children, &mut faults)
        } else {
            Vec::new()
        };
        if !faults.is_empty() {
            let path = self.path();
            for (at, problem) in faults {
                self.report.error(at, path.clone(), problem);
            }
        }
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let children = if open.is_map { children } else { open.children };
        self.tree.children.extend_from_slice(&children);
        let len = short(children.len());
        let shape = if open.is_map {
            Shape::Map { start, len }
        } else {
            Shape::List { start, len }
        };
        self.complete(shape, open.weight, open.anchor, open.at);
        Ok(())
    }

    /// The key that is being built, told as the later readers tell it: a job by its name.
    fn path(&self) -> String {
        /// A hostile job has half a million keys before its name.
        const LOOKED_AT: usize = 32;
        if self.report.is_full() {
            return String::new();
        }
        let text = |id: &u32| match self.tree.node(NodeId(*id)).kind() {
            Kind::Scalar(text, _) => text,
            Kind::List | Kind::Map => "?",
        };
        let mut path = String::new();
        for (depth, open) in self.open.iter().enumerate() {
            if open.is_map {
                // Half an entry: the key is there, its value is what is being built.
                if let (1, Some(key)) = (open.children.len() % 2, open.children.last()) {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(text(key));
                }
                continue;
            }
            let name = self
                .open
                .get(depth + 1)
                .filter(|_| path == "jobs")
                .and_then(|job| {
                    let named = job
                        .children
                        .chunks_exact(2)
                        .take(LOOKED_AT)
                        .find(|pair| text(&pair[0]) == "name")?;
                    Some(text(&named[1]))
                });
            match name {
                Some(name) => path.push_str(&format!(".{name}")),
                None => path.push_str(&format!("[{}]", open.children.len())),
            }
        }
        path
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Abort> {
        let Some((id, weight)) = self.anchors.get(&anchor).copied() else {
            return Err(self.abort(
                at,
                Problem::new("this alias stands inside the very value it names"),
            ));
        };
        self.check_depth(weight.depth, at)?;
        self.charge(weight, at)?;
        self.attach(id, weight);
        Ok(())
    }

    fn check_depth(&mut self, below: u32, at: Position) -> Result<(), Abort> {
        if short(self.open.len()).saturating_add(below) < MAX_DEPTH {
            return Ok(());
        }
        Err(self.abort(
            at,
            Problem::new(format!("nested deeper than {MAX_DEPTH} levels")).hint("flatten it"),
        ))
    }

    fn charge(&mut self, weight: Weight, at: Position) -> Result<(), Abort> {
        if self.budget.charge(weight) {
            return Ok(());
        }
        let Budget { nodes, bytes } = Budget::default();
        Err(self.abort(
            at,
            Problem::new(format!(
                "the configuration grows beyond {nodes} values or {} MiB of text, aliases expanded",
                bytes >> 20
            ))
            .hint("use fewer or smaller aliases, or split it over two daemons"),
        ))
    }

    fn complete(&mut self, shape: Shape, weight: Weight, anchor: usize, at: Position) {
        let id = NodeId(short(self.tree.slots.len()));
        self.tree.slots.push(Slot {
            shape,
            line: at.line,
            column: at.column,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, (id, weight));
        }
        self.attach(id, weight);
    }

    fn attach(&mut self, id: NodeId, weight: Weight) {
        match self.open.last_mut() {
            Some(parent) => {
                parent.children.push(id.0);
                parent.weight.add(weight);
            }
            None => self.tree.root = id,
        }
    }
}

/// The entries of a map with `<<` resolved: a key of its own wins over a merged one, an earlier
/// merged map over a later. Keys that are no text or come twice are faults and left out.
fn unique_and_merged(
    tree: &Tree,
    pairs: &[u32],
    faults: &mut Vec<(Position, Problem)>,
) -> Vec<u32> {
    let mut seen: HashMap<&str, Position> = HashMap::with_capacity(pairs.len() / 2);
    let mut kept = Vec::with_capacity(pairs.len());
    let mut merges = Vec::new();
    for pair in pairs.chunks_exact(2) {
        let (key, value) = (tree.node(NodeId(pair[0])), tree.node(NodeId(pair[1])));
        let Kind::Scalar(text, plain) = key.kind() else {
            let problem = Problem::new("a key must be text, not a list or a map")
                .hint("quote it, if it is a template: \"{{ … }}\"");
            faults.push((key.at(), problem));
            continue;
        };
        if let Some(first) = seen.get(text) {
            let problem = Problem::new(format!("the key {} comes twice", quoted(text)))
                .hint(format!("the first is in line {}; keep one", first.line));
            faults.push((key.at(), problem));
            continue;
        }
        seen.insert(text, key.at());
        if plain && text == "<<" {
            merges.push(value);
        } else {
            kept.extend_from_slice(pair);
        }
    }
    let mut have: HashSet<&str> = seen.into_keys().collect();
    for map in merges.into_iter().flat_map(merged_maps) {
        if !matches!(map.kind(), Kind::Map) {
            let problem = Problem::new("`<<` merges a map, or a list of maps")
                .hint("name an anchor of a map: `<<: *defaults`");
            faults.push((map.at(), problem));
            continue;
        }
        for (key, value) in map.entries() {
            if let Kind::Scalar(text, _) = key.kind()
                && have.insert(text)
            {
                kept.extend_from_slice(&[key.id().0, value.id().0]);
            }
        }
    }
    kept
}

fn merged_maps(source: Node<'_>) -> Vec<Node<'_>> {
    match source.kind() {
        Kind::List => source.items().collect(),
        Kind::Scalar(..) | Kind::Map => vec![source],
    }
}
