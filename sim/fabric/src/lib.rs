//! The simulated internet and backbone: a userspace link-emulation engine.
