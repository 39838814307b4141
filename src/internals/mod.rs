//! What benches of the parts alone need and programs do not. No promise is made about anything here.

mod parts;

pub use crate::bag::read::read_lines;
pub use crate::client::simulation::{
    Experiment, Graph, LazyGraph, Network, Report, Traffic, Walked, run as simulate,
};
pub use parts::{Grants, LoneRank, Messages, read};
