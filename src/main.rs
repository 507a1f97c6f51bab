//! The `epollo` program: parse, run, exit code.

fn main() -> std::process::ExitCode {
    epollo::cli::main()
}
