//! The binary: hands over to `cli` and ends with its exit code.

fn main() -> std::process::ExitCode {
    tollgate::cli::main()
}
