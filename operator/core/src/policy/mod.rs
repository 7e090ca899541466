//! CEL: parse, check, compile, evaluate, trace.
