//! Elementwise work: a chunk is made in one pass, tile by tile, without arrays for what lies between.

mod evaluation;
mod generate;
mod leaf;
mod operate;
mod program;
mod register;

pub(super) use evaluation::{Evaluation, Inputs, Kernel, evaluate};
pub(super) use generate::Stretch;
pub(super) use operate::{Fault, Operand};
pub(super) use program::{Binary, Distribution, Generator, Number, Operation, Places, Program, Step, Unary};
pub(super) use register::{Lane, Register, TILE, Values, with_type};
