//! What tests need: servers, a control plane, simulation, an oracle.

pub mod servers;
