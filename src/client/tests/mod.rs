//! Whole runs without MPI: simulated ones, and ranks that are threads.

mod futures;
mod local;
mod scale;
mod shared;
mod shuffles;
mod simulated;
mod simulation;
mod streams;
mod values;
