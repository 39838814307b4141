//! Whole runs without MPI: simulated ones, and ranks that are threads.

mod local;
mod scale;
mod shared;
mod shuffles;
mod simulated;
mod simulation;
