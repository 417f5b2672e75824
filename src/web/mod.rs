//! HTTP: for now the control API alone, JSON over the daemon's Unix socket.
//!
//! Invariants
//! - Nothing here decides: a request becomes an [`Ask`], which whoever drives the engine carries out
//!   between two steps ([`mod@desk`]); what only looks reads the ledger.
//! - Connections, bodies and the desk's queue are bounded.
//! - Who may open the socket may do everything: its mode and its directory say who that is.
//! - A request that names another ledger is refused before anything is done.

mod answers;
mod desk;
mod peer;
mod requests;
mod routes;
mod server;
mod socket;

pub use desk::{Answer, Ask, Asked, Desk, Reloaded, desk};
pub use routes::{Context, LEDGER};
pub use server::serve;
pub use socket::{Socket, SocketError};
