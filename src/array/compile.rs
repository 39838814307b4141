//! From expressions to tasks: what is done to a chunk in one pass, and what becomes a task of its own.

use super::expression::{Fault, Inputs, Kernel, Operation, Places, Program, Step, evaluate};
use super::layout::{Chunk, starts};
use super::node::{Elementwise, Kind, Node, count_visit};
use crate::random::Elements;
use crate::{Block, Delayed, ElementsHandle, ElementsList, Function, Functions, List};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use std::sync::Arc;

/// Work for an element that is done again rather than to keep its result.
const CHEAP: u32 = 3;

/// The tasks that make the chunks of an expression.
pub(super) fn tasks(node: &Arc<Node>) -> Vec<Delayed<Block>> {
    let fusion = Fusion::making(node);
    node.layout
        .chunks()
        .map(|chunk| {
            let Work { program, functions, streams, blocks } = fusion.work(&chunk);
            node.client.try_delayed(make_chunk, (program, functions, streams, &blocks)).label(node.name)
        })
        .collect()
}

fn make_chunk(
    (program, kernels, streams, blocks): (Program, Vec<Kernel>, Vec<Elements>, Vec<Arc<Block>>),
) -> Result<Block, Fault> {
    evaluate(&Inputs { program, kernels, streams, blocks })
}

/// The work on one chunk of an expression, as arguments of a task.
pub(super) struct Work {
    pub(super) program: Program,
    pub(super) functions: Functions<Kernel>,
    pub(super) streams: ElementsList,
    pub(super) blocks: List<Block>,
}

/// The axes of a node along the axes of the chunk that is made.
type Axes = Vec<Option<usize>>;

/// An expression, and which of the arrays in it are made together with it.
pub(super) struct Fusion {
    root: Arc<Node>,
    /// Whether an array is made by tasks of its own, and then where its chunks begin along each axis.
    separate: HashMap<*const Node, Option<Vec<Vec<usize>>>>,
}

/// What a look at an expression tells of an array in it.
struct Seen {
    axes: Axes,
    references: u32,
    /// It is read with its axes in several orders.
    differently: bool,
    /// Somebody else reads it through the same view.
    elsewhere: bool,
}

/// The arrays of an expression that have been read, but not been looked into.
#[derive(Default)]
struct Survey<'a> {
    seen: HashMap<*const Node, Seen>,
    /// By their numbers, which are larger than those of what they are made of: when the last one is taken out,
    /// everything that reads it has been looked into. So each array is looked into once, however many ways
    /// lead to it, and nothing behind tasks of its own is.
    waiting: BTreeMap<u64, &'a Arc<Node>>,
}

impl<'a> Survey<'a> {
    fn read(&mut self, node: &'a Arc<Node>, axes: Axes, differently: bool, elsewhere: bool) {
        count_visit();
        match self.seen.entry(Arc::as_ptr(node)) {
            Entry::Occupied(seen) => {
                let seen = seen.into_mut();
                seen.references += 1;
                seen.differently |= differently || seen.axes != axes;
                seen.elsewhere |= elsewhere;
            }
            Entry::Vacant(place) => {
                place.insert(Seen { axes, references: 1, differently, elsewhere });
                self.waiting.insert(node.number, node);
            }
        }
    }
}

impl Fusion {
    /// What makes the chunks of an array.
    fn making(root: &Arc<Node>) -> Self {
        Fusion::new(root, true)
    }

    /// What an operation does that reads an array chunk by chunk.
    pub(super) fn reading(root: &Arc<Node>) -> Self {
        Fusion::new(root, false)
    }

    /// Decides for an array and all in it whether it becomes tasks of its own.
    fn new(root: &Arc<Node>, makes_it: bool) -> Self {
        let mut separate = HashMap::new();
        let mut survey = Survey::default();
        survey.read(root, identity(root), false, false);
        while let Some((_, node)) = survey.waiting.pop_last() {
            let seen = &survey.seen[&Arc::as_ptr(node)];
            if !(makes_it && Arc::ptr_eq(node, root)) && is_separate(node, seen) {
                let starts = node.layout.chunks.iter().map(|chunks| starts(chunks)).collect();
                separate.insert(Arc::as_ptr(node), Some(starts));
                continue;
            }
            separate.insert(Arc::as_ptr(node), None);
            match &node.kind {
                Kind::Elementwise(_, inputs) => {
                    let axes = seen.axes.clone();
                    inputs.iter().for_each(|input| survey.read(input, axes.clone(), false, false));
                }
                Kind::View(input, view) => {
                    let axes = through(&seen.axes, view);
                    // A view is never made by itself: who reads it reads what it shows.
                    let elsewhere = seen.elsewhere || seen.references < node.readers();
                    let differently = seen.differently;
                    survey.read(input, axes, differently, elsewhere);
                }
                _ => {}
            }
        }
        Fusion { root: Arc::clone(root), separate }
    }

    /// The work on one chunk.
    pub(super) fn work(&self, chunk: &Chunk) -> Work {
        let mut builder = Builder {
            fusion: self,
            chunk,
            steps: Vec::new(),
            made: HashMap::new(),
            functions: Vec::new(),
            streams: Vec::new(),
            blocks: Vec::new(),
        };
        builder.step(&self.root, &identity(&self.root));
        Work {
            program: Program { shape: chunk.shape.clone(), steps: builder.steps },
            functions: builder.functions.into_iter().collect(),
            streams: builder.streams.into_iter().collect(),
            blocks: builder.blocks.into_iter().collect(),
        }
    }
}

fn identity(node: &Node) -> Axes {
    (0..node.layout.axes()).map(Some).collect()
}

/// The axes of the input of a view.
fn through(axes: &Axes, view: &[Option<usize>]) -> Axes {
    axes.iter().map(|axis| axis.and_then(|axis| view[axis])).collect()
}

fn is_separate(node: &Node, seen: &Seen) -> bool {
    match &node.kind {
        Kind::Tasks(_) | Kind::Arrange(_) | Kind::Broken(_) => true,
        _ if node.is_kept() => true,
        Kind::View(..) => false,
        _ if node.weight <= CHEAP => false,
        // Somebody else reads it as well, or it is read in two ways.
        _ if seen.differently || seen.elsewhere || seen.references < node.readers() => true,
        // A generator runs along the last axis.
        Kind::Generate(_) => {
            let last = seen.axes.iter().rposition(Option::is_some);
            last.is_some_and(|last| seen.axes[last] != Some(node.layout.axes() - 1))
        }
        _ => false,
    }
}

struct Builder<'a> {
    fusion: &'a Fusion,
    chunk: &'a Chunk,
    steps: Vec<Step>,
    made: HashMap<(*const Node, Axes), u32>,
    functions: Vec<Function<Kernel>>,
    streams: Vec<ElementsHandle>,
    blocks: Vec<Delayed<Block>>,
}

impl Builder<'_> {
    /// The number of the step that makes what the chunk needs of `node`.
    fn step(&mut self, node: &Arc<Node>, axes: &Axes) -> u32 {
        count_visit();
        if let Kind::View(input, view) = &node.kind
            && !node.is_kept()
        {
            return self.step(input, &through(axes, view));
        }
        let key = (Arc::as_ptr(node), axes.clone());
        if let Some(&step) = self.made.get(&key) {
            return step;
        }
        let operation = self.operation(node, axes);
        self.steps.push(Step { dtype: node.dtype, operation });
        let step = self.steps.len() as u32 - 1;
        self.made.insert(key, step);
        step
    }

    fn operation(&mut self, node: &Arc<Node>, axes: &Axes) -> Operation {
        if let Some(Some(starts)) = self.fusion.separate.get(&Arc::as_ptr(node))
            && let Some(operation) = self.block(node, starts, axes)
        {
            return operation;
        }
        match &node.kind {
            Kind::Generate(source) => {
                let mut generator = source.generator.clone();
                let function = source.function.as_ref().map(|function| self.function(function));
                let stream = source.stream.as_ref().map(|stream| {
                    self.streams.push(stream.clone());
                    self.streams.len() as u32 - 1
                });
                generator.number(function, stream);
                Operation::Generate { generator, places: self.places(node, axes) }
            }
            Kind::Elementwise(operation, inputs) => {
                let operands: Vec<u32> = inputs.iter().map(|input| self.step(input, axes)).collect();
                match operation {
                    Elementwise::Unary(operator) => Operation::Unary(*operator, operands[0]),
                    Elementwise::Binary(operator) => Operation::Binary(*operator, operands[0], operands[1]),
                    Elementwise::Cast => Operation::Cast(operands[0]),
                    Elementwise::Select => Operation::Select(operands[0], operands[1], operands[2]),
                    Elementwise::Function(function) => {
                        Operation::Function { function: self.function(function), operands }
                    }
                }
            }
            Kind::View(..) | Kind::Arrange(_) | Kind::Tasks(_) | Kind::Broken(_) => {
                unreachable!("an expression reads arrays in its own chunks")
            }
        }
    }

    fn function(&mut self, function: &Function<Kernel>) -> u32 {
        self.functions.push(function.clone());
        self.functions.len() as u32 - 1
    }

    /// Where the chunk is in an array that it reads with these axes.
    fn region(&self, node: &Node, axes: &Axes) -> (Vec<usize>, Vec<usize>) {
        let own = |axis: usize| axes.iter().position(|&own| own == Some(axis));
        (0..node.layout.axes())
            .map(|axis| own(axis).map_or((0, 1), |at| (self.chunk.origin[at], self.chunk.shape[at])))
            .unzip()
    }

    /// Reads the chunk of an array that has tasks of its own.
    fn block(&mut self, node: &Arc<Node>, starts: &[Vec<usize>], axes: &Axes) -> Option<Operation> {
        let (origin, shape) = self.region(node, axes);
        let number = node.layout.find(starts, &origin, &shape)?;
        self.blocks.push(node.tasks()[number].clone());
        let steps = c_strides(&shape);
        let strides = axes.iter().map(|axis| axis.map_or(0, |axis| steps[axis])).collect();
        Some(Operation::Block { block: self.blocks.len() as u32 - 1, strides })
    }

    fn places(&self, node: &Node, axes: &Axes) -> Places {
        let (origin, _) = self.region(node, axes);
        let steps = c_strides(&node.layout.shape);
        let first: usize = origin.iter().zip(&steps).map(|(at, step)| at * step).sum();
        let strides = axes.iter().map(|axis| axis.map_or(0, |axis| steps[axis] as u64)).collect();
        Places { first: first as u64, strides }
    }
}

/// The distances of neighbours along each axis of an array in C order.
pub(super) fn c_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}
