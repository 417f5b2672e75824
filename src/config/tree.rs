//! A YAML file as a tree in which every node knows its line and column.
//!
//! Invariants, which [`super::build`] establishes:
//! - an alias is a second edge to the same node, never a copy;
//! - no path, alias edges included, is longer than a fixed depth, so walks may recurse;
//! - what a walk meets, aliases expanded, is bounded by a budget;
//! - keys are texts and unique in their map, `<<` is merged, and there are no tags.
//!
//! Nodes lie in one vector and their texts in one string, which holds the memory of a hostile
//! 32 MiB file well below the limit of guarantee G7.

use super::error::Position;

/// The number of a node in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// What a node is made of: ranges of the tree's text or of its `children`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// `quotes`: how many columns of the source precede the text; `None` for block texts, where
    /// columns cannot be told.
    Scalar {
        start: u32,
        len: u32,
        plain: bool,
        quotes: Option<bool>,
    },
    List {
        start: u32,
        len: u32,
    },
    /// Keys and values take turns in `children`.
    Map {
        start: u32,
        len: u32,
    },
}

/// A node as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) shape: Shape,
    pub(super) line: u32,
    pub(super) column: u32,
}

const _: () = assert!(size_of::<Slot>() <= 24, "a million nodes must stay small");

/// One file, parsed.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) file: u16,
    pub(super) text: String,
    pub(super) slots: Vec<Slot>,
    pub(super) children: Vec<u32>,
    pub(super) root: NodeId,
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    tree: &'t Tree,
    id: NodeId,
}

/// What a node is.
pub(super) enum Kind<'t> {
    /// A text and whether it was written without quotes.
    Scalar(&'t str, bool),
    /// A list.
    List,
    /// A map.
    Map,
}

impl Tree {
    /// The document.
    pub(super) fn root(&self) -> Node<'_> {
        self.node(self.root)
    }

    /// The node of that number.
    pub(super) fn node(&self, id: NodeId) -> Node<'_> {
        Node { tree: self, id }
    }
}

impl<'t> Node<'t> {
    fn slot(self) -> Slot {
        self.tree.slots[self.id.0 as usize]
    }

    /// Its number.
    pub(super) const fn id(self) -> NodeId {
        self.id
    }

    /// Where it begins.
    pub(super) fn at(self) -> Position {
        let slot = self.slot();
        Position {
            file: self.tree.file,
            line: slot.line,
            column: slot.column,
            in_defaults: false,
        }
    }

    /// How far its text is from where it begins, if they share a line.
    pub(super) fn text_offset(self) -> Option<u32> {
        match self.slot().shape {
            Shape::Scalar { quotes, .. } => quotes.map(u32::from),
            _ => None,
        }
    }

    /// What it is.
    pub(super) fn kind(self) -> Kind<'t> {
        match self.slot().shape {
            Shape::Scalar {
                start, len, plain, ..
            } => Kind::Scalar(&self.tree.text[range(start, len)], plain),
            Shape::List { .. } => Kind::List,
            Shape::Map { .. } => Kind::Map,
        }
    }

    fn children(self) -> &'t [u32] {
        match self.slot().shape {
            Shape::Scalar { .. } => &[],
            Shape::List { start, len } | Shape::Map { start, len } => {
                &self.tree.children[range(start, len)]
            }
        }
    }

    /// The items of a list; of a map its keys and values in turn.
    pub(super) fn items(self) -> impl ExactSizeIterator<Item = Node<'t>> {
        self.children()
            .iter()
            .map(move |id| self.tree.node(NodeId(*id)))
    }

    /// The entries of a map. A key is always a scalar.
    pub(super) fn entries(self) -> impl Iterator<Item = (Node<'t>, Node<'t>)> {
        self.children().chunks_exact(2).map(move |pair| {
            (
                self.tree.node(NodeId(pair[0])),
                self.tree.node(NodeId(pair[1])),
            )
        })
    }

    /// How many values it holds, itself counted, and the bytes of their texts, aliases expanded.
    /// The builder's budget bounds the walk.
    pub(super) fn size(self) -> (u64, u64) {
        if let Kind::Scalar(text, _) = self.kind() {
            return (1, text.len() as u64);
        }
        self.items().fold((1, 0), |(nodes, bytes), child| {
            let (more_nodes, more_bytes) = child.size();
            (nodes + more_nodes, bytes + more_bytes)
        })
    }

    /// The value of a key of a map.
    pub(super) fn get(self, key: &str) -> Option<Node<'t>> {
        if !matches!(self.kind(), Kind::Map) {
            return None;
        }
        self.entries()
            .find(|(k, _)| matches!(k.kind(), Kind::Scalar(text, _) if text == key))
            .map(|(_, value)| value)
    }
}

/// Widening: the budget keeps every count of a tree far below `u32::MAX`.
fn range(start: u32, len: u32) -> std::ops::Range<usize> {
    start as usize..start as usize + len as usize
}
