//! The one integration binary.
mod schedule_oracle;
