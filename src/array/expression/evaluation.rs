//! Running a program, tile by tile.

use super::generate::{Stretch, Supplies, generate};
use super::leaf::Leaf;
use super::operate::{Fault, Operand, cast};
use super::program::{Binary, Operation, Program, Step, Unary};
use super::register::{Lane, Register, TILE, Values, with_type};
use crate::array::room::check_room;
use crate::random::{Elements, Stream};
use crate::{Block, DType};
use std::sync::Arc;

type OfElements = dyn Fn(&[Values<'_>], &mut Register) + Send + Sync;
type OfIndex = dyn Fn(Stretch, &[usize], &mut Register) + Send + Sync;
type OfStream = dyn Fn(Stream, &mut Register) + Send + Sync;

/// A function of the user's that has forgotten its types.
pub(in crate::array) enum Kernel {
    /// Of the elements of one or more operands.
    Elements(Box<OfElements>),
    /// Of the index in an array of a given shape.
    Index(Box<OfIndex>),
    /// Of the random stream of an element.
    Random(Box<OfStream>),
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kernel::Elements(_) => "Kernel::Elements",
            Kernel::Index(_) => "Kernel::Index",
            Kernel::Random(_) => "Kernel::Random",
        })
    }
}

impl Kernel {
    pub(super) fn unexpected(&self) -> ! {
        unreachable!("{self:?}: functions are given with the operations that call them")
    }
}

/// What the work on one chunk reads.
#[derive(Debug)]
pub(in crate::array) struct Inputs {
    pub(in crate::array) program: Program,
    pub(in crate::array) kernels: Vec<Kernel>,
    pub(in crate::array) streams: Vec<Elements>,
    pub(in crate::array) blocks: Vec<Arc<Block>>,
}

/// The work on one chunk. Ask for tiles in any order; those that follow each other are the fastest.
#[derive(Debug)]
pub(in crate::array) struct Evaluation<'a> {
    inputs: &'a Inputs,
    leaves: Vec<Option<Leaf>>,
    registers: Vec<Register>,
    panels: Vec<Register>,
    start: usize,
    count: usize,
}

impl<'a> Evaluation<'a> {
    pub(in crate::array) fn new(inputs: &'a Inputs) -> Self {
        let steps = &inputs.program.steps;
        let leaf = |operation: &Operation| match operation {
            Operation::Block { strides, .. } => Some(Leaf::new(&inputs.program.shape, strides)),
            _ => None,
        };
        Evaluation {
            inputs,
            leaves: steps.iter().map(|step| leaf(&step.operation)).collect(),
            registers: steps.iter().map(|step| Register::new(step.dtype)).collect(),
            panels: steps.iter().map(|step| Register::new(step.dtype)).collect(),
            start: 0,
            count: 0,
        }
    }

    /// The elements of the chunk from `start` on in C order, at most [`TILE`] of them.
    pub(in crate::array) fn tile<T: Lane>(&mut self, start: usize, count: usize) -> Result<&[T], Fault> {
        debug_assert!(count <= TILE);
        (self.start, self.count) = (start, count);
        for step in 0..self.inputs.program.steps.len() {
            self.take(step)?;
        }
        Ok(self.operand(self.inputs.program.steps.len() - 1).of())
    }

    /// Fills the register of a step.
    fn take(&mut self, step: usize) -> Result<(), Fault> {
        let operation = &self.inputs.program.steps[step].operation;
        if self.leaves[step].as_ref().is_some_and(|leaf| leaf.direct) {
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.registers[step]);
        out.clear();
        let result = self.fill(step, operation, &mut out);
        self.registers[step] = out;
        result
    }

    fn fill(&mut self, step: usize, operation: &Operation, out: &mut Register) -> Result<(), Fault> {
        let dtype = self.inputs.program.steps[step].dtype;
        let shape = &self.inputs.program.shape;
        match operation {
            Operation::Block { block, .. } => {
                let block = &*self.inputs.blocks[*block as usize];
                let leaf = self.leaves[step].as_mut().expect("every block has a leaf");
                with_type!(dtype, T => leaf.read(
                    block.as_slice::<T>(),
                    shape,
                    self.start,
                    self.count,
                    T::values_mut(out),
                    T::values_mut(&mut self.panels[step]),
                ));
            }
            Operation::Generate { generator, places } => {
                let supplies = Supplies { kernels: &self.inputs.kernels, streams: &self.inputs.streams };
                generate(generator, places, shape, (self.start, self.count), supplies, out, dtype);
            }
            Operation::Unary(operator, a) => self.unary(*operator, *a, out, dtype),
            Operation::Binary(operator, a, b) => self.binary(*operator, *a, *b, out)?,
            Operation::Cast(a) => {
                let from = self.dtype_of(*a);
                with_type!(from, T => cast::<T>(self.operand(*a as usize).of(), out, dtype));
            }
            Operation::Select(condition, a, b) => with_type!(dtype, T => {
                let condition = self.operand(*condition as usize).of::<bool>();
                let (a, b) = (self.operand(*a as usize).of::<T>(), self.operand(*b as usize).of::<T>());
                let chosen = condition.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c { a } else { b });
                T::values_mut(out).extend(chosen);
            }),
            Operation::Function { function, operands } => {
                let operands: Vec<Values<'_>> =
                    operands.iter().map(|&operand| self.operand(operand as usize)).collect();
                match &self.inputs.kernels[*function as usize] {
                    Kernel::Elements(call) => call(&operands, out),
                    other => other.unexpected(),
                }
            }
        }
        Ok(())
    }

    fn unary(&self, operator: Unary, a: u32, out: &mut Register, dtype: DType) {
        let from = self.dtype_of(a);
        with_type!(from, T => {
            let a = self.operand(a as usize).of::<T>();
            if from == dtype {
                T::unary(operator, a, T::values_mut(out));
            } else {
                T::property(operator, a, out);
            }
        });
    }

    fn binary(&self, operator: Binary, a: u32, b: u32, out: &mut Register) -> Result<(), Fault> {
        let from = self.dtype_of(a);
        with_type!(from, T => {
            let (a, b) = (self.operand(a as usize).of::<T>(), self.operand(b as usize).of::<T>());
            if operator.compares() {
                T::compare(operator, a, b, bool::values_mut(out));
                Ok(())
            } else {
                T::binary(operator, a, b, T::values_mut(out))
            }
        })
    }

    fn dtype_of(&self, step: u32) -> DType {
        self.inputs.program.steps[step as usize].dtype
    }

    /// The values of a step for the current tile.
    fn operand(&self, step: usize) -> Values<'_> {
        let Step { dtype, operation } = &self.inputs.program.steps[step];
        with_type!(*dtype, T => {
            let values = match (operation, &self.leaves[step]) {
                (Operation::Block { block, .. }, Some(Leaf { direct: true, .. })) => {
                    let block = self.inputs.blocks[*block as usize].as_slice::<T>();
                    &block[self.start..self.start + self.count]
                }
                (_, Some(Leaf { in_panel: Some(first), .. })) => {
                    &T::values(&self.panels[step])[*first..first + self.count]
                }
                _ => T::values(&self.registers[step]),
            };
            T::as_values(values)
        })
    }
}

/// Makes a chunk.
pub(in crate::array) fn evaluate(inputs: &Inputs) -> Result<Block, Fault> {
    let program = &inputs.program;
    let dtype = program.steps.last().expect("a program has steps").dtype;
    let total: usize = program.shape.iter().product();
    check_room(total, dtype.size())?;
    let mut evaluation = Evaluation::new(inputs);
    with_type!(dtype, T => {
        let mut elements: Vec<T> = Vec::with_capacity(total);
        for start in (0..total).step_by(TILE) {
            elements.extend_from_slice(evaluation.tile::<T>(start, TILE.min(total - start))?);
        }
        Ok(Block::from_vec(&program.shape, elements))
    })
}
