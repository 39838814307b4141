//! Elementwise work on a chunk, as it travels: a list of steps, each of which makes a tile of values.

use crate::DType;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};

/// The work on one chunk: steps in an order in which each reads only earlier ones. The last is the result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) struct Program {
    /// The shape of the chunk.
    pub(in crate::array) shape: Vec<usize>,
    pub(in crate::array) steps: Vec<Step>,
}

/// One step: what is done, and the type of what comes out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) struct Step {
    pub(in crate::array) dtype: DType,
    pub(in crate::array) operation: Operation,
}

/// What a step does. Operands are numbers of earlier steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) enum Operation {
    /// Reads a block, in steps of `strides` elements along the axes of the chunk; 0 repeats it.
    Block {
        block: u32,
        strides: Vec<usize>,
    },
    /// Makes the elements of an array from their places in it.
    Generate {
        generator: Generator,
        places: Places,
    },
    Unary(Unary, u32),
    Binary(Binary, u32, u32),
    /// Converts the elements to the type of the step.
    Cast(u32),
    /// Where the first is true the second, else the third.
    Select(u32, u32, u32),
    /// Calls a function of the user's.
    Function {
        function: u32,
        operands: Vec<u32>,
    },
}

/// Which elements of a generated array a chunk has: their numbers in C order are those of its first element
/// and of steps along the axes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) struct Places {
    pub(in crate::array) first: u64,
    pub(in crate::array) strides: Vec<u64>,
}

/// How an array is made from the numbers of its elements in C order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::array) enum Generator {
    /// The same everywhere.
    Full(Number),
    /// `start + step * i`, as NumPy's `arange`.
    Arange { start: Number, step: Number },
    /// `start + step * i`, and exactly `stop` at the end, as NumPy's `linspace`.
    Linspace { start: f64, step: f64, last: u64, stop: f64 },
    /// The index along one axis.
    Index { axis: usize, shape: Vec<usize> },
    /// A function of the index, for an array of this shape.
    Function { function: u32, shape: Vec<usize> },
    /// Random numbers of the stream with this number.
    Random { stream: u32, distribution: Distribution },
}

/// How random elements are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::array) enum Distribution {
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    Exponential {
        scale: f64,
    },
    Integers {
        low: i64,
        high: i64,
    },
    /// A function of the element's own stream.
    Function {
        function: u32,
    },
}

/// One value of any element type.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::array) enum Number {
    F64(f64),
    F32(f32),
    I64(i64),
    I32(i32),
    U8(u8),
    Bool(bool),
    Complex64(Complex64),
}

/// A function of one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::array) enum Unary {
    Negate,
    Not,
    Abs,
    Sign,
    Square,
    Sqrt,
    Cbrt,
    Exp,
    Exp2,
    ExpM1,
    Ln,
    Ln1p,
    Log2,
    Log10,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Floor,
    Ceil,
    Round,
    Trunc,
    Conjugate,
    /// Of a complex number, as a real one.
    Real,
    Imaginary,
    Angle,
    /// Tests of floats.
    IsNan,
    IsFinite,
    IsInfinite,
}

/// A function of two operands of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::array) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Minimum,
    Maximum,
    Atan2,
    Hypot,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Xor,
}

impl Unary {
    /// How much work it is for an element, beside an addition.
    pub(in crate::array) fn weight(self) -> u32 {
        match self {
            Unary::Negate | Unary::Not | Unary::Abs | Unary::Sign | Unary::Square => 1,
            Unary::Sqrt | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Trunc => 2,
            Unary::Conjugate | Unary::Real | Unary::Imaginary => 1,
            Unary::IsNan | Unary::IsFinite | Unary::IsInfinite => 1,
            _ => 10,
        }
    }
}

impl Binary {
    /// Whether the result is `bool` whatever the operands are.
    pub(in crate::array) fn compares(self) -> bool {
        matches!(
            self,
            Binary::Equal
                | Binary::NotEqual
                | Binary::Less
                | Binary::LessEqual
                | Binary::Greater
                | Binary::GreaterEqual
        )
    }

    pub(in crate::array) fn weight(self) -> u32 {
        match self {
            Binary::Power | Binary::Atan2 | Binary::Hypot => 20,
            Binary::Divide | Binary::Remainder => 2,
            _ => 1,
        }
    }
}

impl Generator {
    /// Says which of the functions and streams of a program are its own.
    pub(in crate::array) fn number(&mut self, own_function: Option<u32>, own_stream: Option<u32>) {
        match self {
            Generator::Function { function, .. } => *function = own_function.unwrap_or(*function),
            Generator::Random { stream, distribution } => {
                *stream = own_stream.unwrap_or(*stream);
                if let Distribution::Function { function } = distribution {
                    *function = own_function.unwrap_or(*function);
                }
            }
            _ => {}
        }
    }
}
