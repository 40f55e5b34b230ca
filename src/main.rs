//! The binary: hands over to `cli` and ends with its exit code.

use tikv_jemallocator::Jemalloc;

/// Of the C libraries too (`Cargo.toml` asks for the unprefixed names): a record is allocated by a
/// Kafka client's thread and freed by an engine's, which glibc's allocator locks an arena for.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> std::process::ExitCode {
    tollgate::cli::main()
}
