//! Tests of the definitions as a whole.

mod drift;
mod gate;
mod round_trip;
