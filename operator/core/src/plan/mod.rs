//! Desired x observed x ledger -> steps: diff, order, guard, hash. Pure functions over one account or one wave.
