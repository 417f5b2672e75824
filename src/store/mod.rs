//! To be filled.

pub mod audit;
