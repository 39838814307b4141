//! What the numbers of a matrix can make impossible.

/// Why a factorisation failed. It is the cause of the failure of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error(
        "the matrix is not positive definite: the leading {0} rows and columns are not; use `solve` if it \
         need not be"
    )]
    NotPositiveDefinite(usize),
    #[error("the matrix is singular: there is no pivot in column {0}; `lstsq` takes such matrices")]
    Singular(usize),
    #[error("an element is not finite: replace it, or look where it comes from")]
    NotFinite,
}
