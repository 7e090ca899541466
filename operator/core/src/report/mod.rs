//! The board (identity x application states) -> conditions, reasons, event texts, counters.
