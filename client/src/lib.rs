//! The client daemon doublezerod and the command line doublezero.
