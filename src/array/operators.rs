//! `+`, `-`, `*`, `/`, `%`, `&`, `|`, `^`, `!` of arrays, numbers and both.

use super::array::{Array, Scalar};
use super::error::ArrayProblem;
use super::expression::{Binary, Unary};
use super::node::{Elementwise, Node, broadcast, broadcast_shape, elementwise};
use super::traits::{Bits, Element, Number, Numeric};
use num_complex::Complex64;
use std::{panic::Location, sync::Arc};

/// What can stand beside an array in an operation: another array, a [`Scalar`], or a number; each also as a
/// reference.
pub trait Operand<T: Element> {
    /// The operand as an array of the run that `other` belongs to.
    #[doc(hidden)]
    fn to_array(&self, other: &Array<T>) -> Array<T>;
}

impl<T: Element> Operand<T> for Array<T> {
    fn to_array(&self, _: &Array<T>) -> Array<T> {
        self.clone()
    }
}

impl<T: Element> Operand<T> for Scalar<T> {
    fn to_array(&self, _: &Array<T>) -> Array<T> {
        self.array.clone()
    }
}

impl<T: Element> Operand<T> for T {
    fn to_array(&self, other: &Array<T>) -> Array<T> {
        Array::of(Node::scalar(&other.node.client, self.number()))
    }
}

impl<T: Element> Operand<T> for &Array<T> {
    fn to_array(&self, _: &Array<T>) -> Array<T> {
        Array::clone(self)
    }
}

impl<T: Element> Operand<T> for &Scalar<T> {
    fn to_array(&self, _: &Array<T>) -> Array<T> {
        self.array.clone()
    }
}

/// Elementwise work on arrays of shapes that go together.
pub(super) fn combine<T: Element, V: Element, U: Element>(
    operation: Elementwise,
    name: &'static str,
    left: &Array<T>,
    right: &Array<V>,
    place: &Location<'_>,
) -> Array<U> {
    left.derive_with(right, name, place, |left, right| {
        let inputs = together(&[left, right])?;
        Ok(elementwise(operation, U::DTYPE, name, &inputs))
    })
}

/// Arrays repeated to a common shape.
pub(super) fn together(inputs: &[&Arc<Node>]) -> Result<Vec<Arc<Node>>, ArrayProblem> {
    let mut shape = Vec::new();
    for input in inputs {
        shape = broadcast_shape(&shape, &input.layout.shape)?;
    }
    if inputs.iter().any(|input| !input.client.is_same_run(&inputs[0].client)) {
        return Err(ArrayProblem::Runs);
    }
    Ok(inputs.iter().map(|input| broadcast(input, &shape)).collect())
}

impl<T: Element> Array<T> {
    pub(super) fn unary<U: Element>(
        &self,
        operator: Unary,
        name: &'static str,
        place: &Location<'_>,
    ) -> Array<U> {
        self.derive(name, place, |node| {
            Ok(elementwise(Elementwise::Unary(operator), U::DTYPE, name, std::slice::from_ref(node)))
        })
    }

    pub(super) fn binary<U: Element>(
        &self,
        operator: Binary,
        name: &'static str,
        other: &impl Operand<T>,
        place: &Location<'_>,
    ) -> Array<U> {
        combine(Elementwise::Binary(operator), name, self, &other.to_array(self), place)
    }
}

macro_rules! binary {
    ($($bound:ident $operation:ident $method:ident $operator:ident $name:literal [$($number:ty)*];)*) => {$(
        impl<T: $bound, O: Operand<T>> std::ops::$operation<O> for &Array<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: O) -> Array<T> {
                self.binary(Binary::$operator, $name, &other, Location::caller())
            }
        }

        impl<T: $bound, O: Operand<T>> std::ops::$operation<O> for Array<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: O) -> Array<T> {
                self.binary(Binary::$operator, $name, &other, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation<&Array<T>> for &Scalar<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: &Array<T>) -> Array<T> {
                self.array.binary(Binary::$operator, $name, other, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation<Array<T>> for &Scalar<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: Array<T>) -> Array<T> {
                self.array.binary(Binary::$operator, $name, &other, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation<&Array<T>> for Scalar<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: &Array<T>) -> Array<T> {
                self.array.binary(Binary::$operator, $name, other, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation<Array<T>> for Scalar<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self, other: Array<T>) -> Array<T> {
                self.array.binary(Binary::$operator, $name, &other, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation<T> for &Scalar<T> {
            type Output = Scalar<T>;
            #[track_caller]
            fn $method(self, other: T) -> Scalar<T> {
                Scalar::of(self.array.binary(Binary::$operator, $name, &other, Location::caller()))
            }
        }

        impl<T: $bound> std::ops::$operation<T> for Scalar<T> {
            type Output = Scalar<T>;
            #[track_caller]
            fn $method(self, other: T) -> Scalar<T> {
                Scalar::of(self.array.binary(Binary::$operator, $name, &other, Location::caller()))
            }
        }

        impl<T: $bound> std::ops::$operation<&Scalar<T>> for &Scalar<T> {
            type Output = Scalar<T>;
            #[track_caller]
            fn $method(self, other: &Scalar<T>) -> Scalar<T> {
                Scalar::of(self.array.binary(Binary::$operator, $name, other, Location::caller()))
            }
        }

        impl<T: $bound> std::ops::$operation<Scalar<T>> for Scalar<T> {
            type Output = Scalar<T>;
            #[track_caller]
            fn $method(self, other: Scalar<T>) -> Scalar<T> {
                Scalar::of(self.array.binary(Binary::$operator, $name, &other, Location::caller()))
            }
        }

        $(
            impl std::ops::$operation<&Array<$number>> for $number {
                type Output = Array<$number>;
                #[track_caller]
                fn $method(self, other: &Array<$number>) -> Array<$number> {
                    Operand::to_array(&self, other).binary(Binary::$operator, $name, other, Location::caller())
                }
            }

            impl std::ops::$operation<Array<$number>> for $number {
                type Output = Array<$number>;
                #[track_caller]
                fn $method(self, other: Array<$number>) -> Array<$number> {
                    Operand::to_array(&self, &other).binary(Binary::$operator, $name, &other, Location::caller())
                }
            }

            impl std::ops::$operation<&Scalar<$number>> for $number {
                type Output = Scalar<$number>;
                #[track_caller]
                fn $method(self, other: &Scalar<$number>) -> Scalar<$number> {
                    let left = Operand::to_array(&self, &other.array);
                    Scalar::of(left.binary(Binary::$operator, $name, other, Location::caller()))
                }
            }
        )*
    )*};
}

binary! {
    Numeric Add add Add "+" [f64 f32 i64 i32 u8 Complex64];
    Numeric Sub sub Subtract "-" [f64 f32 i64 i32 u8 Complex64];
    Numeric Mul mul Multiply "*" [f64 f32 i64 i32 u8 Complex64];
    Numeric Div div Divide "/" [f64 f32 i64 i32 u8 Complex64];
    Number Rem rem Remainder "%" [f64 f32 i64 i32 u8];
    Bits BitAnd bitand And "&" [i64 i32 u8 bool];
    Bits BitOr bitor Or "|" [i64 i32 u8 bool];
    Bits BitXor bitxor Xor "^" [i64 i32 u8 bool];
}

macro_rules! unary {
    ($($bound:ident $operation:ident $method:ident $operator:ident $name:literal;)*) => {$(
        impl<T: $bound> std::ops::$operation for &Array<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self) -> Array<T> {
                self.unary(Unary::$operator, $name, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation for Array<T> {
            type Output = Array<T>;
            #[track_caller]
            fn $method(self) -> Array<T> {
                self.unary(Unary::$operator, $name, Location::caller())
            }
        }

        impl<T: $bound> std::ops::$operation for &Scalar<T> {
            type Output = Scalar<T>;
            #[track_caller]
            fn $method(self) -> Scalar<T> {
                Scalar::of(self.array.unary(Unary::$operator, $name, Location::caller()))
            }
        }
    )*};
}

unary! {
    Numeric Neg neg Negate "-";
    Bits Not not Not "!";
}
