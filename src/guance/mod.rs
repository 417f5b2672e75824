//! The wire: one client for Guance's `outer_function/execute`, and everything that is known of it.
//!
//! Invariants:
//! - A call never fails to produce a [`CallRecord`](crate::domain::attempt::CallRecord); what goes
//!   wrong is an outcome in it.
//! - A key goes to its workspace's own origin only: no redirect is followed, no proxy used unless
//!   named, and no plain http spoken but to this machine or where the configuration insists.
//! - Nothing that leaves this module holds a secret, but for [`Request::body`].
//! - Every reply is bounded: in time by one deadline over connection, head and body; in bytes after
//!   decompression; in depth; and large replies are taken in a few at a time, and judged
//!   one after another.
//!
//! The meaning of a reply is not here but in [`crate::domain::verdict`]; this module takes replies
//! apart.

mod body;
mod client;
mod connect;
mod exchange;
mod json;
mod judge;
mod one_thread;
mod redact;
mod reply;
mod request;
mod script;

pub use client::{Call, Client, ClientError};
pub use redact::Redactor;
pub use request::{Request, build_request};
pub use script::{ScriptedEnd, ScriptedReply};
