//! The example programs as users run them: in one process, by themselves on several, and under mpirun.
//!
//! They are run with the mpiexec of the MPI library that they are linked with, so the same tests serve every
//! MPI: `MPICC=mpicc.mpich CARGO_TARGET_DIR=target/mpich cargo test` builds and runs them.

mod answers;
mod bags;
mod failures;
mod files;
mod launcher;
mod memory;
mod settings;
