//! A JSON value of our own, for the kwargs of a job.
//!
//! Keeps the order of keys and tells integers from floats, so that what is sent is what was
//! written. It exists because `domain` knows no serde; the edges convert.

/// A JSON value. Objects keep their order; a loader refuses duplicate keys before this is built.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer that fits into 64 signed bits.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A finite float.
    Float(f64),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// A map in its order of writing.
    Object(Vec<(String, Json)>),
}
