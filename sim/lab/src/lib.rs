//! Namespaces, nodes, processes and their clean-up.
