//! `dot`, `matmul`, `tensordot`, `outer`.

use super::super::array::{Array, Scalar};
use super::super::error::ArrayProblem;
use super::super::layout::check_tasks;
use super::super::node::{Node, broadcast, broadcast_shape};
use super::super::reduce::Axes;
use super::super::traits::Numeric;
use super::contract::{MOST_PAIRS, Roles, contract};
use super::scalar::Ring;
use std::{panic::Location, sync::Arc};

impl<T: Ring> Array<T> {
    /// The matrix product, as NumPy's `@`: of matrices, of vectors, of one of each, and of stacks of matrices
    /// along all axes but the last two, which are broadcast.
    ///
    /// The last bits of products of floating-point numbers are the same for one kind of CPU; they depend on
    /// the chunks along the axis that goes away. Integers wrap around.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let a = Array::from_fn(client, |i| (i[0] + i[1]) as f64, [40, 30], [16, 16]);
    ///     let identity = Array::from_fn(client, |i| f64::from(i[0] == i[1]), [30, 30], [16, 16]);
    ///     assert_eq!(a.matmul(&identity).compute()?, a.compute()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn matmul(&self, other: &Array<T>) -> Array<T> {
        self.derive_with(other, "matmul", Location::caller(), |left, right| {
            let wrong = |rule: &str| Err(shapes(left, right, rule));
            let (left_axes, right_axes) = (left.layout.axes(), right.layout.axes());
            if left_axes == 0 || right_axes == 0 {
                return wrong("both need at least one axis; multiply by a number with `*`");
            }
            let (left, right) = match left_axes > 2 || right_axes > 2 {
                true => stacks(left, right)?,
                false => (Arc::clone(left), Arc::clone(right)),
            };
            // With a vector there are no axes in common: the stacked ones are those of one operand alone.
            let stacked = left.layout.axes().min(right.layout.axes()).saturating_sub(2);
            let roles = |axes: usize, summed: usize| Roles {
                shared: (0..stacked).collect(),
                free: (stacked..axes).filter(|&axis| axis != summed).collect(),
                summed: vec![summed],
            };
            let left_roles = roles(left.layout.axes(), left.layout.axes() - 1);
            let right_roles = roles(right.layout.axes(), right.layout.axes().saturating_sub(2));
            product::<T>("matmul", (&left, &left_roles), (&right, &right_roles))
        })
    }

    /// NumPy's `dot`: of vectors the inner product, as an array without axes; else the sum of products along
    /// the last axis of this array and the last but one of the other, or its only one.
    #[track_caller]
    #[must_use]
    pub fn dot(&self, other: &Array<T>) -> Array<T> {
        self.derive_with(other, "dot", Location::caller(), |left, right| {
            let (left_axes, right_axes) = (left.layout.axes(), right.layout.axes());
            if left_axes == 0 || right_axes == 0 {
                return Err(shapes(
                    left,
                    right,
                    "both need at least one axis; multiply by a number with `*`",
                ));
            }
            let roles = |axes: usize, summed: usize| Roles {
                shared: Vec::new(),
                free: (0..axes).filter(|&axis| axis != summed).collect(),
                summed: vec![summed],
            };
            let left_roles = roles(left_axes, left_axes - 1);
            let right_roles = roles(right_axes, right_axes.saturating_sub(2));
            product::<T>("dot", (left, &left_roles), (right, &right_roles))
        })
    }

    /// The inner product of two vectors, as a number.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0i64, 1000, 1, 64);
    ///     assert_eq!(x.inner(&x).compute()?, 332_833_500);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn inner(&self, other: &Array<T>) -> Scalar<T> {
        Scalar::of(self.derive_with(other, "inner", Location::caller(), |left, right| {
            if left.layout.axes() != 1 || right.layout.axes() != 1 {
                return Err(shapes(
                    left,
                    right,
                    "both must be vectors; `tensordot` takes arrays of any shape",
                ));
            }
            let roles = Roles { summed: vec![0], ..Roles::default() };
            product::<T>("inner", (left, &roles), (right, &roles))
        }))
    }

    /// The sum of products along axes: axis `axes[k]` of this array goes with axis `other_axes[k]` of the
    /// other. The other axes of both are those of the result.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let a = Array::<f64>::ones(client, [3, 4, 5], [2, 2, 2]);
    ///     let b = Array::<f64>::ones(client, [5, 6, 4], [3, 3, 3]);
    ///     let c = a.tensordot(&b, [1, 2], [2, 0]);
    ///     assert_eq!(c.shape(), [3, 6]);
    ///     assert_eq!(c.max().compute()?, 20.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn tensordot(
        &self,
        other: &Array<T>,
        axes: impl AsRef<[usize]>,
        other_axes: impl AsRef<[usize]>,
    ) -> Array<T> {
        let (axes, other_axes) = (axes.as_ref(), other_axes.as_ref());
        self.derive_with(other, "tensordot", Location::caller(), |left, right| {
            let roles = |node: &Arc<Node>, summed: &[usize]| {
                let mask = Axes::Some(summed.to_vec()).mask(&node.layout.shape)?;
                let free = (0..mask.len()).filter(|&axis| !mask[axis]).collect();
                Ok::<_, ArrayProblem>(Roles { shared: Vec::new(), free, summed: summed.to_vec() })
            };
            let (left_roles, right_roles) = (roles(left, axes)?, roles(right, other_axes)?);
            if axes.len() != other_axes.len() {
                let text =
                    format!("axes {axes:?} and {other_axes:?}: name as many of the one as of the other");
                return Err(ArrayProblem::Argument(text));
            }
            product::<T>("tensordot", (left, &left_roles), (right, &right_roles))
        })
    }
}

impl<T: Numeric> Array<T> {
    /// All products of an element of this array and one of the other: its axes are those of this array and
    /// then those of the other. It is fused with what is done to it.
    #[track_caller]
    #[must_use]
    pub fn outer(&self, other: &Array<T>) -> Array<T> {
        if self.node.error().is_some() {
            return self.clone();
        }
        let mut left = self.clone();
        for _ in 0..other.node.layout.axes() {
            left = left.insert_axis(left.ndim());
        }
        &left * other
    }
}

fn shapes(left: &Node, right: &Node, rule: &str) -> ArrayProblem {
    let (left, right) = (left.layout.shape.clone(), right.layout.shape.clone());
    ArrayProblem::Shapes { left, right, rule: rule.into() }
}

/// Operands of which one has more than two axes, with equal axes in front of the last two. A vector stays
/// one.
fn stacks(left: &Arc<Node>, right: &Arc<Node>) -> Result<(Arc<Node>, Arc<Node>), ArrayProblem> {
    let front = |node: &Node| node.layout.shape[..node.layout.axes().saturating_sub(2)].to_vec();
    let stack = broadcast_shape(&front(left), &front(right))
        .map_err(|_| shapes(left, right, "the axes in front of the last two do not go together"))?;
    let widen = |node: &Arc<Node>| match node.layout.axes() {
        1 => Arc::clone(node),
        axes => broadcast(node, &[&stack, &node.layout.shape[axes - 2..]].concat()),
    };
    Ok((widen(left), widen(right)))
}

fn product<T: Ring>(
    name: &'static str,
    (left, left_roles): (&Arc<Node>, &Roles),
    (right, right_roles): (&Arc<Node>, &Roles),
) -> Result<Arc<Node>, ArrayProblem> {
    for (&axis, &other) in left_roles.summed.iter().zip(&right_roles.summed) {
        if left.layout.shape[axis] != right.layout.shape[other] {
            let rule = format!(
                "axis {axis} of the left one and axis {other} of the right one, along which products are added \
                 up, must have the same length"
            );
            return Err(shapes(left, right, &rule));
        }
    }
    if !left.client.is_same_run(&right.client) {
        return Err(ArrayProblem::Runs);
    }
    // How many tasks there are at least.
    let along = |node: &Node, axes: &[usize]| -> usize {
        axes.iter().fold(1, |count, &axis| count.saturating_mul(node.layout.chunks[axis].len()))
    };
    let terms = along(left, &left_roles.summed).max(along(right, &right_roles.summed));
    let results = [
        along(left, &left_roles.shared).max(along(right, &right_roles.shared)),
        along(left, &left_roles.free),
        along(right, &right_roles.free),
    ];
    check_tasks(&[&results[..], &[terms.div_ceil(MOST_PAIRS)]].concat())?;
    Ok(contract::<T>(name, (left, left_roles), (right, right_roles)))
}
