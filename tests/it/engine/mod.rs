//! The engine against the contract, on a clock moved by hand: real ledger, real wire, no sleeps.

mod calendars;
mod catchup;
mod clock;
mod crash;
mod deadlines;
mod keys;
mod outage;
mod overlap;
mod quota;
mod reload;
mod retries;
mod sandbox;
mod secrets;
mod spread;
mod stop;
mod ticks;
