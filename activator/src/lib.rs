//! Decides every allocation: a pure plan from the chain, and its application.
