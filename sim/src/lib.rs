//! The DoubleZero simulator: scenarios, runs, the oracle and the command line.
