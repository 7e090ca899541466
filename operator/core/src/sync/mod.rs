//! One target application as a state machine: events in, effects out, time as an argument.
