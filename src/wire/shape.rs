//! What a type reads: found out once, by letting it read from a source that makes everything up.
//!
//! The compact form has no names, lengths of structs or types in it, so it fits only where a type reads exactly what it
//! writes. Most types do. A type with the serde attributes `untagged`, `tag` or `flatten` looks at what has come
//! before it decides, and one with `skip_serializing_if` may leave out what its reader waits for. The probe notes
//! what a type asks for, item by item and in all variants, as a tree; whatever is then written is compared with that.

use super::{
    kind::{Kind, Wrong},
    read::Reader,
};
use serde::de::DeserializeOwned;
use std::{
    any::TypeId,
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a type asks for when it is read.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Whether it wants to be told what has come.
    pub(super) looks: bool,
    pub(super) root: Node,
}

/// What is asked for at one place.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) enum Node {
    /// Nothing so far.
    #[default]
    Unknown,
    Scalar(Kind),
    Option(Box<Node>),
    Sequence(Box<Node>),
    /// Keys and values.
    Map(Box<[Node; 2]>),
    /// A tuple or a struct: its fields.
    Fields(Vec<Node>),
    /// The fields of each variant of an enum that was tried, and how often one was.
    Enum(Vec<Option<Vec<Node>>>, usize),
}

impl Node {
    /// Whether every variant of every enum was tried.
    fn is_complete(&self) -> bool {
        match self {
            Node::Unknown => false,
            Node::Scalar(_) => true,
            Node::Option(inner) | Node::Sequence(inner) => inner.is_complete(),
            Node::Map(inner) => inner.iter().all(Node::is_complete),
            Node::Fields(fields) => fields.iter().all(Node::is_complete),
            Node::Enum(variants, _) => {
                variants.iter().all(|fields| fields.as_ref().is_some_and(|f| f.iter().all(Node::is_complete)))
            }
        }
    }
}

impl Shape {
    /// That of a type, which is found out when it is first asked for.
    ///
    /// It is asked for with every value, mostly for the same few types.
    #[inline]
    pub(super) fn of<T: DeserializeOwned + 'static>() -> &'static Shape {
        type Recent = Cell<Option<(TypeId, &'static Shape)>>;
        thread_local! {
            static RECENT: [Recent; 16] = const { [const { Cell::new(None) }; 16] };
        }
        let id = TypeId::of::<T>();
        let mut hash = ByItself::default();
        id.hash(&mut hash);
        RECENT.with(|recent| {
            let recent = &recent[hash.0 as usize % 16];
            match recent.get() {
                Some((known, shape)) if known == id => shape,
                _ => {
                    let shape = Shape::of_any::<T>(id);
                    recent.set(Some((id, shape)));
                    shape
                }
            }
        })
    }

    #[cold]
    fn of_any<T: DeserializeOwned>(id: TypeId) -> &'static Shape {
        thread_local! {
            static KNOWN: RefCell<HashMap<TypeId, &'static Shape, BuildHasherDefault<ByItself>>> =
                RefCell::default();
        }
        if let Some(shape) = KNOWN.with_borrow(|known| known.get(&id).copied()) {
            return shape;
        }
        // There are as many as types and threads.
        let shape = Box::leak(Box::new(probe::<T>()));
        KNOWN.with_borrow_mut(|known| known.insert(id, shape));
        shape
    }
}

/// A type that is larger than this, or contains itself, may as well be described.
const STEPS: u32 = 50_000;
const RUNS: u32 = 2_000;
const DEPTH: u32 = 48;

fn probe<T: DeserializeOwned>() -> Shape {
    let mut shape = Shape::default();
    let mut steps = 0;
    for _ in 0..RUNS {
        let made = Made { node: &mut shape.root, steps: &mut steps, depth: 0 };
        let read = || T::deserialize(Reader::Made(made)).is_ok();
        if !catch_unwind(AssertUnwindSafe(read)).unwrap_or(false) {
            // It looks, or does not like what was made up; nothing is known of what would have come behind.
            break;
        }
        if shape.root.is_complete() {
            return shape;
        }
    }
    Shape { looks: true, root: Node::Unknown }
}

/// A type's identifier is a hash already.
#[derive(Default)]
struct ByItself(u64);

impl Hasher for ByItself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

/// A source in which everything is there once, and is one; it notes what is asked for.
pub(super) struct Made<'a> {
    node: &'a mut Node,
    steps: &'a mut u32,
    depth: u32,
}

/// The items of something that is made up.
pub(super) struct MadeItems<'a> {
    nodes: std::slice::IterMut<'a, Node>,
    steps: &'a mut u32,
    depth: u32,
}

/// A variant of an enum that is made up.
pub(super) struct MadeVariant<'a> {
    fields: &'a mut Option<Vec<Node>>,
    steps: &'a mut u32,
    depth: u32,
}

const TWO_THINGS: Wrong = Wrong::new("it asks for this and for that");

impl<'a> Made<'a> {
    /// Notes what is asked for, unless it was something else before.
    fn note(self, asked: Node) -> Result<Self, Wrong> {
        *self.steps += 1;
        if *self.steps > STEPS || self.depth > DEPTH {
            return Err(Wrong::new("too large to be tried out"));
        }
        let alike = match (&*self.node, &asked) {
            (Node::Unknown, _) => {
                *self.node = asked;
                true
            }
            (Node::Fields(known), Node::Fields(asked)) => known.len() == asked.len(),
            (Node::Enum(known, _), Node::Enum(asked, _)) => known.len() == asked.len(),
            (Node::Scalar(known), Node::Scalar(asked)) => known == asked,
            (known, asked) => std::mem::discriminant(known) == std::mem::discriminant(asked),
        };
        if alike { Ok(self) } else { Err(TWO_THINGS) }
    }

    pub(super) fn scalar(self, kind: Kind) -> Result<(), Wrong> {
        self.note(Node::Scalar(kind)).map(drop)
    }

    /// What is inside of an option.
    pub(super) fn option(self) -> Result<Made<'a>, Wrong> {
        let Made { node, steps, depth } = self.note(Node::Option(Box::default()))?;
        match node {
            Node::Option(inner) => Ok(Made { node: inner, steps, depth: depth + 1 }),
            _ => Err(TWO_THINGS),
        }
    }

    /// The one element of a sequence, the key and the value of a map, or the fields of a struct.
    fn items(self, asked: Node) -> Result<MadeItems<'a>, Wrong> {
        let Made { node, steps, depth } = self.note(asked)?;
        let nodes = match node {
            Node::Sequence(inner) => std::slice::from_mut(&mut **inner),
            Node::Map(inner) => &mut inner[..],
            Node::Fields(fields) => &mut fields[..],
            _ => return Err(TWO_THINGS),
        };
        Ok(MadeItems { nodes: nodes.iter_mut(), steps, depth: depth + 1 })
    }

    pub(super) fn sequence(self) -> Result<MadeItems<'a>, Wrong> {
        self.items(Node::Sequence(Box::default()))
    }

    pub(super) fn map(self) -> Result<MadeItems<'a>, Wrong> {
        self.items(Node::Map(Box::default()))
    }

    pub(super) fn fields(self, count: usize) -> Result<MadeItems<'a>, Wrong> {
        self.items(Node::Fields(vec![Node::Unknown; count]))
    }

    /// The variant that an enum is to have this time: one after the other.
    pub(super) fn variant(self, count: usize) -> Result<(u32, MadeVariant<'a>), Wrong> {
        let Made { node, steps, depth } = self.note(Node::Enum(vec![None; count], 0))?;
        let Node::Enum(variants, tried) = node else { return Err(TWO_THINGS) };
        let variant = *tried % count.max(1);
        *tried += 1;
        let fields = variants.get_mut(variant).ok_or(Wrong::new("an enum without variants"))?;
        Ok((variant as u32, MadeVariant { fields, steps, depth: depth + 1 }))
    }
}

impl<'a> MadeItems<'a> {
    /// The next item, if there is one more.
    pub(super) fn next(&mut self) -> Option<Made<'_>> {
        let node = self.nodes.next()?;
        Some(Made { node, steps: self.steps, depth: self.depth })
    }

    /// How many there are.
    pub(super) fn left(&self) -> usize {
        self.nodes.len()
    }

    /// The only one.
    fn one(self) -> Result<Made<'a>, Wrong> {
        let MadeItems { mut nodes, steps, depth } = self;
        Ok(Made { node: nodes.next().ok_or(TWO_THINGS)?, steps, depth })
    }
}

impl<'a> MadeVariant<'a> {
    pub(super) fn fields(self, count: usize) -> Result<MadeItems<'a>, Wrong> {
        let MadeVariant { fields, steps, depth } = self;
        let fields = fields.get_or_insert_with(|| vec![Node::Unknown; count]);
        match fields.len() == count {
            true => Ok(MadeItems { nodes: fields.iter_mut(), steps, depth }),
            false => Err(TWO_THINGS),
        }
    }

    pub(super) fn newtype(self) -> Result<Made<'a>, Wrong> {
        self.fields(1)?.one()
    }
}
