//! The program: parse, compose, exit code.

fn main() {}
