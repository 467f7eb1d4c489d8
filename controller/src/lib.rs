//! Renders each device's whole configuration from the chain; the agent applies it.
