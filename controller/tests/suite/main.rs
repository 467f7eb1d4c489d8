//! The controller and the agent from outside: rendered configs of a gallery of networks, the HTTP interface, and
//! agents in real namespaces with packets through them.

mod backbone;
mod catalog;
mod device;
mod gallery;
mod http;
mod matrix;
mod multicast;
mod refusals;
mod skeleton;
mod unicast;
mod view_builder;
mod wire;
