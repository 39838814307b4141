//! Singular values, and what is made of them: least squares.

use super::super::array::Array;
use super::super::error::ArrayProblem;
use super::super::layout::Layout;
use super::super::movement::{fit, permute};
use super::super::node::{Node, Reader};
use super::contract::{Roles, contract};
use super::failure::Failure;
use super::kernels::{self, Svd};
use super::qr::{Factorisation, check_matrix, check_panels, inner_chunks, whole};
use super::rows::{Rows, matrix_of};
use super::scalar::Field;
use crate::{Block, BlockElement, Delayed, List};
use ndarray::{Array2, s};
use std::panic::Location;
use std::sync::{Arc, OnceLock};

/// U, the singular values and Vᴴ of a small matrix.
type Parts = (Block, Block, Block);

fn decompose<T: Field>((grid, blocks): ((usize, usize), Vec<Arc<Block>>)) -> Result<Parts, Failure> {
    let Svd { u, s, vh } = kernels::thin_svd(whole::<T>(&blocks, grid).view()).ok_or(Failure::NotFinite)?;
    Ok((Block::from(u.into_dyn()), Block::from(s.into_dyn()), Block::from(vh.into_dyn())))
}

fn left((parts,): (Arc<Parts>,)) -> Block {
    parts.0.clone()
}

fn values((parts,): (Arc<Parts>,)) -> Block {
    parts.1.clone()
}

fn right((parts,): (Arc<Parts>,)) -> Block {
    parts.2.clone()
}

/// The decomposition of the triangle of a QR factorisation, in one task.
fn of_triangle<T: Field>(r: &Arc<Node>, name: &'static str) -> Delayed<Parts> {
    let grid = (r.layout.chunks[0].len(), r.layout.chunks[1].len());
    let blocks: List<Block> = r.tasks().iter().collect();
    r.client.try_delayed(decompose::<T>, (grid, &blocks)).label(name)
}

/// The factors of a decomposition.
struct Decomposition {
    u: Arc<Node>,
    s: Arc<Node>,
    vh: Arc<Node>,
}

/// The decomposition of a matrix with at least as many rows as columns.
fn of_tall<T: Field>(node: &Arc<Node>) -> Decomposition {
    let factorisation = Factorisation::new(node, "svd");
    let (q, r) = (factorisation.q::<T>(), factorisation.r::<T>());
    let small = r.layout.shape[1];
    let parts = Arc::new((Reader::new(&r), OnceLock::new()));
    let part = |shape: &[usize], dtype, take: fn((Arc<Parts>,)) -> Block| {
        let parts = Arc::clone(&parts);
        Node::tasks_of(&node.client, dtype, Layout::whole(shape), "svd", move || {
            let (r, cell) = &*parts;
            let decomposed = cell.get_or_init(|| of_triangle::<T>(r, "svd"));
            vec![r.client.delayed(take, (decomposed,)).label("svd")]
        })
    };
    let u = part(&[small, small], T::DTYPE, left);
    let roles = |free, summed| Roles { shared: Vec::new(), free: vec![free], summed: vec![summed] };
    let u = contract::<T>("svd", (&q, &roles(0, 1)), (&u, &roles(1, 0)));
    let s = part(&[small], T::Magnitude::DTYPE, values);
    let vh = part(&[small, small], T::DTYPE, right);
    Decomposition { u, s, vh }
}

impl<T: Field> Array<T> {
    /// The thin singular value decomposition of a matrix: U with orthonormal columns, the singular values
    /// from the largest on, and Vᴴ with orthonormal rows, with U S Vᴴ = A.
    ///
    /// Through the [QR factorisation](Self::qr) of the matrix, or of its transpose if it has more columns
    /// than rows; the triangle, whose side is the shorter one of the matrix, is decomposed in one task. Of
    /// each singular vector on that side the element of largest absolute value is real and positive, which
    /// makes the decomposition unique if the singular values differ. The last bits are the same for one kind
    /// of CPU.
    ///
    /// It fails if an element is not finite.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let a = Array::normal(client, 0.0, 1.0, [600, 5], [200, 5]);
    ///     let (u, s, vh) = a.svd();
    ///     let difference = ((u * s).matmul(&vh) - &a).abs().max();
    ///     assert!(difference.compute()? < 1e-13);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn svd(&self) -> (Array<T>, Array<T::Magnitude>, Array<T>) {
        let place = Location::caller();
        let decomposition = OnceLock::new();
        let shared = |node: &Arc<Node>| {
            check_matrix(node)?;
            let is_tall = node.layout.shape[0] >= node.layout.shape[1];
            let tall = if is_tall { Arc::clone(node) } else { permute(node, &[1, 0]) };
            check_panels(&tall)?;
            Ok::<_, ArrayProblem>(decomposition.get_or_init(|| {
                if is_tall {
                    return of_tall::<T>(&tall);
                }
                // Of the transpose, U and V change places.
                let Decomposition { u, s, vh } = of_tall::<T>(&tall);
                Decomposition { u: permute(&vh, &[1, 0]), s, vh: permute(&u, &[1, 0]) }
            }))
        };
        let u = self.derive("svd", place, |node| {
            let u = &shared(node)?.u;
            let chunks = vec![node.layout.chunks[0].clone(), inner_chunks(&node.layout)];
            Ok(fit(u, &Layout::of_chunks(chunks)))
        });
        let s = self.derive("svd", place, |node| {
            let s = &shared(node)?.s;
            Ok(fit(s, &Layout::of_chunks(vec![inner_chunks(&node.layout)])))
        });
        let vh = self.derive("svd", place, |node| {
            let vh = &shared(node)?.vh;
            let chunks = vec![inner_chunks(&node.layout), node.layout.chunks[1].clone()];
            Ok(fit(vh, &Layout::of_chunks(chunks)))
        });
        (u, s, vh)
    }

    /// The least-squares solution x of `self` x = b: the one of smallest norm, if there are several. `b` is a
    /// vector or a matrix whose columns are solved for.
    ///
    /// Through the [QR factorisation](Self::qr), whose orthogonal matrix is not made, and the singular
    /// values of its triangle in one task. As in NumPy, singular values count as 0 that are smaller than the
    /// largest times the longer side times the precision of the elements.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let x = Array::normal(client, 0.0, 1.0, [1000, 3], [100, 3]);
    ///     let weights = Array::from_ndarray(client, &ndarray::arr1(&[1.0, -2.0, 0.5]).into_dyn(), 3);
    ///     let y = x.matmul(&weights);
    ///     let difference = (x.lstsq(&y) - weights).abs().max();
    ///     assert!(difference.compute()? < 1e-13);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn lstsq(&self, b: &Array<T>) -> Array<T> {
        self.derive_with(b, "lstsq", Location::caller(), |a, b| {
            super::systems::check(a, b)?;
            check_panels(a)?;
            let (b, vector) = super::systems::columns_of(b, &a.layout.chunks[0]);
            let factorisation = Factorisation::new(a, "lstsq");
            let r = Reader::new(&factorisation.r::<T>());
            let layout = Layout::of_chunks(vec![vec![a.layout.shape[1]], b.layout.chunks[1].clone()]);
            let longer = a.layout.shape[0].max(a.layout.shape[1]);
            let b = Reader::new(&b);
            let make = move || {
                let decomposed = of_triangle::<T>(&r, "lstsq");
                let widths = &b.layout.chunks[1];
                let solution = |(column, &width): (usize, &usize)| {
                    let blocks = b.tasks().iter().skip(column).step_by(widths.len());
                    let rows =
                        blocks.zip(&b.layout.chunks[0]).map(|(block, &height)| Rows::of(block, height));
                    let tops: List<Block> =
                        factorisation.rotate_back::<T>(rows.collect(), width).into_iter().collect();
                    let client = &b.client;
                    client.delayed(least_squares::<T>, (longer, &decomposed, &tops)).label("lstsq")
                };
                widths.iter().enumerate().map(solution).collect()
            };
            let x = Node::tasks_of(&a.client, T::DTYPE, layout, "lstsq", make);
            let chunks = vec![a.layout.chunks[1].clone(), x.layout.chunks[1].clone()];
            let x = fit(&x, &Layout::of_chunks(chunks));
            Ok(if vector { permute(&x, &[0]) } else { x })
        })
    }
}

/// V S⁺ Uᴴ b.
fn least_squares<T: Field>((longer, parts, tops): (usize, Arc<Parts>, Vec<Arc<Block>>)) -> Block {
    let (u, vh) = (matrix_of::<T>(&parts.0), matrix_of::<T>(&parts.2));
    let values = parts.1.as_slice::<T::Magnitude>();
    let b = whole::<T>(&tops, (tops.len(), 1));
    let adjoint = |matrix: ndarray::ArrayView2<'_, T>| matrix.t().mapv(T::conjugate);
    let mut x = Array2::from_elem((values.len(), b.ncols()), T::ZERO);
    kernels::add(x.view_mut(), adjoint(u).view(), b.view());
    for (mut row, &value) in x.outer_iter_mut().zip(values) {
        match T::Magnitude::significant(value, values[0], longer) {
            true => row.mapv_inplace(|element| element.scaled(value.inverse())),
            false => row.fill(T::ZERO),
        }
    }
    let mut solution = Array2::from_elem((vh.ncols(), b.ncols()), T::ZERO);
    kernels::add(solution.view_mut(), adjoint(vh).view(), x.slice(s![.., ..]));
    Block::from(solution.into_dyn())
}
