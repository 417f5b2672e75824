//! The engine against the contract, on a clock moved by hand: real ledger, real wire, no sleeps.

mod calendars;
mod catchup;
mod catchup_all;
mod clock;
mod crash;
mod deadlines;
mod keys;
mod matrix;
mod outage;
mod overlap;
mod overlap_cancel;
mod overlap_queue;
mod panics;
mod prune;
mod quota;
mod reload;
mod reload_many;
mod reload_whole;
mod retries;
mod rewind;
mod sandbox;
mod secrets;
mod settings;
mod spread;
mod stop;
mod ticks;
