//! Lazy arrays without the type of their elements: what operations are made of and what makes tasks of them.

use super::error::{ArrayError, ArrayProblem};
use super::expression::{Binary, Generator, Kernel, Number, Unary};
use super::layout::Layout;
use super::movement::Arrangement;
use crate::{Block, Client, DType, Delayed, ElementsHandle, Error, Function};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, Weak,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// An array that is computed when it is wanted.
pub(super) struct Node {
    pub(super) client: Client,
    pub(super) dtype: DType,
    pub(super) layout: Layout,
    /// The operation, as tasks and errors name it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Larger than those of the arrays that it is made of.
    pub(super) number: u64,
    /// The work for an element beside an addition, if it is made where it is read.
    pub(super) weight: u32,
    /// The steps of the longest way through the expression.
    depth: u32,
    /// How many operations read this array.
    readers: AtomicU32,
    tasks: OnceLock<Vec<Delayed<Block>>>,
    /// The values are on the ranks, or will be: to read them costs less than to make them again.
    kept: AtomicBool,
    known: Mutex<Known>,
    /// The array of which this is the same in other chunks, itself no such array.
    pub(super) origin: OnceLock<Arc<Node>>,
}

/// What has been found out of an array. Whoever asks again, for one of the many ways that may lead to an array
/// in an expression, does not look at all that it is made of again.
#[derive(Default)]
struct Known {
    /// How many arrays had been [kept](Node::keep) then: another one may change everything.
    keeps: u64,
    /// For each axis whether the array [is free](Node::is_free).
    free: Option<Vec<bool>>,
    /// The array in other chunks, as long as somebody reads it.
    fitted: Vec<Weak<Node>>,
}

/// How many arrays have been kept.
static KEEPS: AtomicU64 = AtomicU64::new(0);

/// How many arrays have been [kept](Node::keep): what was known before may be otherwise now.
pub(super) fn keeps() -> u64 {
    KEEPS.load(Relaxed)
}

/// How many arrays there have been.
static NODES: AtomicU64 = AtomicU64::new(0);

/// How an array comes about.
pub(super) enum Kind {
    /// It cannot.
    Broken(Arc<ArrayError>),
    /// From the places of its elements alone, so in chunks of any shape.
    Generate(Source),
    /// Element by element from arrays of the same shape.
    Elementwise(Elementwise, Vec<Reader>),
    /// An array with its axes in another order and with axes along which it repeats itself: for each axis
    /// the one of the input, if there is one. Axes of the input that are left out have length 1.
    View(Reader, Vec<Option<usize>>),
    /// Elements of other arrays in other places.
    Arrange(Arrangement),
    /// By tasks of its own.
    Tasks(MakeTasks),
}

/// Makes the tasks of all chunks, in C order of the grid.
pub(super) type MakeTasks = Box<dyn Fn() -> Vec<Delayed<Block>> + Send + Sync>;

/// A generated array.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) generator: Generator,
    pub(super) function: Option<Function<Kernel>>,
    pub(super) stream: Option<ElementsHandle>,
    pub(super) weight: u32,
}

/// What is done to elements.
#[derive(Clone)]
pub(super) enum Elementwise {
    Unary(Unary),
    Binary(Binary),
    Cast,
    Select,
    Function(Function<Kernel>),
}

/// A hold on an array by an operation that reads it.
pub(super) struct Reader(Option<Arc<Node>>);

impl Reader {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        node.readers.fetch_add(1, Relaxed);
        Reader(Some(Arc::clone(node)))
    }
}

impl std::ops::Deref for Reader {
    type Target = Arc<Node>;
    fn deref(&self) -> &Arc<Node> {
        self.0.as_ref().expect("a reader holds its array until it is dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.fetch_sub(1, Relaxed);
        let node = self.0.take();
        deeply(|| drop(node));
    }
}

/// Calls `f`, which may call itself for each operation that led to an array, on a stack that is large enough
/// for the thousands of a loop over time steps.
pub(super) fn deeply<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 << 10, 4 << 20, f)
}

/// Steps of an expression beyond which it is cut: what comes before becomes tasks of its own. It bounds the
/// depth of recursion, for arrays that are updated in a loop.
const LONGEST: u32 = 64;

impl Node {
    pub(super) fn new(
        client: &Client,
        dtype: DType,
        layout: Layout,
        name: &'static str,
        kind: Kind,
    ) -> Arc<Self> {
        let depth = match &kind {
            Kind::Elementwise(_, inputs) => 1 + inputs.iter().map(|input| input.depth).max().unwrap_or(0),
            Kind::View(input, _) => 1 + input.depth,
            _ => 0,
        };
        let node = Node {
            number: NODES.fetch_add(1, Relaxed),
            weight: weight(&kind),
            depth,
            client: client.clone(),
            dtype,
            layout,
            name,
            kind,
            readers: AtomicU32::new(0),
            tasks: OnceLock::new(),
            kept: AtomicBool::new(false),
            known: Mutex::default(),
            origin: OnceLock::new(),
        };
        let node = Arc::new(node);
        // What is too large is refused by whoever asked for it, before it has tasks.
        let possible = || node.layout.check(node.dtype.size()).is_ok();
        if depth > LONGEST && possible() { node.cut() } else { node }
    }

    pub(super) fn broken(client: &Client, dtype: DType, error: ArrayError) -> Arc<Self> {
        Node::again(client, dtype, &Arc::new(error))
    }

    /// An array that is broken because one of its operands is.
    pub(super) fn again(client: &Client, dtype: DType, error: &Arc<ArrayError>) -> Arc<Self> {
        Node::new(client, dtype, Layout::whole(&[]), "broken", Kind::Broken(Arc::clone(error)))
    }

    pub(super) fn tasks_of(
        client: &Client,
        dtype: DType,
        layout: Layout,
        name: &'static str,
        make: impl Fn() -> Vec<Delayed<Block>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Node::new(client, dtype, layout, name, Kind::Tasks(Box::new(make)))
    }

    /// One value.
    pub(super) fn scalar(client: &Client, value: Number) -> Arc<Self> {
        Node::full(client, value, Layout::whole(&[]))
    }

    pub(super) fn full(client: &Client, value: Number, layout: Layout) -> Arc<Self> {
        let source = Source { generator: Generator::Full(value), function: None, stream: None, weight: 0 };
        Node::new(client, value.dtype(), layout, "full", Kind::Generate(source))
    }

    pub(super) fn error(&self) -> Option<&Arc<ArrayError>> {
        match &self.kind {
            Kind::Broken(error) => Some(error),
            _ => None,
        }
    }

    pub(super) fn readers(&self) -> u32 {
        self.readers.load(Relaxed)
    }

    /// The chunks as tasks; each call gives the same ones.
    pub(super) fn tasks(self: &Arc<Self>) -> &[Delayed<Block>] {
        self.tasks.get_or_init(|| match &self.kind {
            Kind::Broken(error) => vec![self.client.broken(Error::Array(Arc::clone(error)))],
            Kind::Tasks(make) => deeply(make),
            Kind::Arrange(arrangement) => deeply(|| arrangement.tasks(self)),
            _ => deeply(|| super::compile::tasks(self)),
        })
    }

    /// Whether to read the chunks costs less than to make them again.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.load(Relaxed)
    }

    pub(super) fn keep(&self) {
        self.kept.store(true, Relaxed);
        KEEPS.fetch_add(1, Relaxed);
    }

    /// What is known of the array and still holds.
    fn known<R>(&self, look: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let keeps = keeps();
        if known.keeps != keeps {
            *known = Known { keeps, ..Known::default() };
        }
        look(&mut known)
    }

    /// The array in other chunks: the one that is there already, or that which `make` makes.
    pub(super) fn fitted(&self, layout: &Layout, make: impl FnOnce() -> Arc<Node>) -> Arc<Node> {
        let found = self.known(|known| {
            known.fitted.iter().filter_map(Weak::upgrade).find(|fitted| fitted.layout == *layout)
        });
        found.unwrap_or_else(|| {
            let made = make();
            self.known(|known| {
                known.fitted.retain(|fitted| fitted.strong_count() > 0);
                known.fitted.push(Arc::downgrade(&made));
            });
            made
        })
    }

    /// The array as tasks, without what they were made of.
    fn cut(self: Arc<Self>) -> Arc<Self> {
        let tasks = self.tasks().to_vec();
        let make = move || tasks.clone();
        Node::tasks_of(&self.client, self.dtype, self.layout.clone(), self.name, make)
    }

    /// Whether chunks of any length along `axis` can be made at no cost.
    fn is_free(&self, axis: usize) -> bool {
        self.free()[axis]
    }

    fn free(&self) -> Vec<bool> {
        let all = |free| vec![free; self.layout.axes()];
        if self.is_kept() {
            return all(false);
        }
        let (input, axes) = match &self.kind {
            Kind::Generate(_) => return all(true),
            Kind::Broken(_) | Kind::Arrange(_) | Kind::Tasks(_) => return all(false),
            Kind::Elementwise(_, inputs) => (inputs.as_slice(), None),
            Kind::View(input, axes) => (std::slice::from_ref(input), Some(axes)),
        };
        if let Some(free) = self.known(|known| known.free.clone()) {
            return free;
        }
        count_visit();
        let inputs: Vec<Vec<bool>> = input.iter().map(|input| input.free()).collect();
        let free: Vec<bool> = (0..self.layout.axes())
            .map(|axis| match axes {
                Some(axes) => axes[axis].is_none_or(|own| inputs[0][own]),
                None => inputs.iter().all(|input| input[axis]),
            })
            .collect();
        self.known(|known| known.free = Some(free.clone()));
        free
    }
}

/// The work for an element of such an array. Shared inputs count as often as they are read.
fn weight(kind: &Kind) -> u32 {
    match kind {
        Kind::Broken(_) | Kind::Arrange(_) | Kind::Tasks(_) => 0,
        Kind::Generate(source) => source.weight,
        Kind::View(input, _) => input.weight,
        Kind::Elementwise(operation, inputs) => {
            let own = match operation {
                Elementwise::Unary(operator) => operator.weight(),
                Elementwise::Binary(operator) => operator.weight(),
                Elementwise::Cast | Elementwise::Select => 1,
                Elementwise::Function(_) => 10,
            };
            inputs.iter().fold(own, |sum, input| sum.saturating_add(input.weight))
        }
    }
}

/// Counts in tests how many arrays are looked at.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn count_visit() {}

#[cfg(test)]
thread_local! {
    pub(super) static VISITS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
pub(super) fn count_visit() {
    VISITS.with(|visits| visits.set(visits.get() + 1));
}

/// Elementwise work on arrays of the same shape.
pub(super) fn elementwise(
    operation: Elementwise,
    dtype: DType,
    name: &'static str,
    inputs: &[Arc<Node>],
) -> Arc<Node> {
    let layout = common_layout(inputs);
    let inputs: Vec<Reader> =
        inputs.iter().map(|input| Reader::new(&super::movement::fit(input, &layout))).collect();
    let client = inputs[0].client.clone();
    Node::new(&client, dtype, layout, name, Kind::Elementwise(operation, inputs))
}

/// The chunks in which arrays of one shape are brought together: cut wherever one of them is cut, but for
/// those that can be made in any chunks.
fn common_layout(inputs: &[Arc<Node>]) -> Layout {
    let axes = inputs[0].layout.axes();
    let chunks = (0..axes).map(|axis| {
        let fixed: Vec<&Vec<usize>> = inputs
            .iter()
            .filter(|input| !input.is_free(axis))
            .map(|input| &input.layout.chunks[axis])
            .collect();
        match fixed.split_first() {
            None => {
                let free = inputs.iter().map(|input| &input.layout.chunks[axis]);
                // The first of those with the most chunks.
                free.reduce(|a, b| if b.len() > a.len() { b } else { a }).cloned().unwrap_or_default()
            }
            Some((first, rest)) if rest.iter().all(|chunks| chunks == first) => (*first).clone(),
            Some(_) => cut_at_all(&fixed),
        }
    });
    Layout::of_chunks(chunks.collect())
}

/// Chunks that end wherever one of the given ones ends.
fn cut_at_all(all: &[&Vec<usize>]) -> Vec<usize> {
    let mut ends: Vec<usize> = all
        .iter()
        .flat_map(|chunks| {
            chunks.iter().scan(0, |end, &length| {
                *end += length;
                Some(*end)
            })
        })
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    ends.into_iter().map(|end| end - std::mem::replace(&mut start, end)).collect()
}

/// The shape in which two shapes go together.
pub(super) fn broadcast_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, ArrayProblem> {
    let axes = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| {
        let missing = axes - shape.len();
        if axis < missing { 1 } else { shape[axis - missing] }
    };
    (0..axes)
        .map(|axis| match (length(left, axis), length(right, axis)) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(ArrayProblem::Broadcast { left: left.to_vec(), right: right.to_vec() }),
        })
        .collect()
}

/// The array repeated along new axes in front and along axes of length 1.
pub(super) fn broadcast(node: &Arc<Node>, shape: &[usize]) -> Arc<Node> {
    if node.layout.shape == shape {
        return Arc::clone(node);
    }
    let missing = shape.len() - node.layout.axes();
    let axes: Vec<Option<usize>> = (0..shape.len())
        .map(|axis| axis.checked_sub(missing).filter(|&own| node.layout.shape[own] == shape[axis]))
        .collect();
    view(node, axes, shape)
}

/// The array with its axes as `axes` says; `shape` gives the lengths of new ones.
pub(super) fn view(node: &Arc<Node>, axes: Vec<Option<usize>>, shape: &[usize]) -> Arc<Node> {
    let chunks = axes.iter().zip(shape).map(|(axis, &length)| match axis {
        Some(axis) => node.layout.chunks[*axis].clone(),
        None => vec![length],
    });
    let layout = Layout::of_chunks(chunks.collect());
    Node::new(&node.client, node.dtype, layout, "view", Kind::View(Reader::new(node), axes))
}
