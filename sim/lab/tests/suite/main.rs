//! The lab as its users see it.

mod attaching;
mod clean_up;
mod doctor;
mod entering;
mod nodes;
mod processes;
mod support;
