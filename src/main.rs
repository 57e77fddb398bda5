//! The program: parse, compose, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    loopgate::cli::main()
}
